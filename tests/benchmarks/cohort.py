"""Compare a cohort of four with four trials of their own, in steady state: an R50 teacher, R18 students."""

from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

from tests.benchmarks.figure import Measured, Setting
from tests.benchmarks.pairs import interleave, median
from trainers.distill.distiller import FrozenTeacher
from trainers.loop.loop import prepare_process, train
from trainers.schema import Bckd, Detector, Job, Placement, Schedule, ShapesDataset, Teacher, TrialSpec

MEMBERS = 4
IMAGES, SIZE, BATCH = 16, (256, 192), 2
EPOCHS = 1000  # far more than are timed, so that none of them is the last, which is evaluated
GFL = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
TEACHER = Teacher(detector=Detector(config=GFL, weights="random"), weights=None)


def against_solo(setting: Setting) -> Measured:
    """Compare an epoch of the cohort with one of a trial alone, as parts of (T + 4 S) / (4 (T + S)).

    T is the time that the teacher's looks take within the epoch of the trial alone, S all the rest of it.
    """
    prepare_process(setting.threads, setting.cuda)
    solo, cohort = epochs(setting, 1), epochs(setting, MEMBERS)
    looks: list[float] = []
    found = interleave(
        lambda: next(cohort), lambda: looks.append(timed_looks(solo, setting)), setting.pairs, setting.clock
    )
    pairs = list(zip(found.ours, found.theirs, looks[1:], strict=True))  # the first pass is the warm-up's
    limits = [limit(forward, alone - forward) for _, alone, forward in pairs]
    raw = [together / (MEMBERS * alone) for together, alone, _ in pairs]
    ratios = [ratio / least for ratio, least in zip(raw, limits, strict=True)]
    note = f"{IMAGES} drawn images of {SIZE[0]} x {SIZE[1]} an epoch, batch {BATCH}"
    share = median([forward / alone for _, alone, forward in pairs])
    return Measured(
        ratios,
        f"{note}; cohort / 4 solo {median(raw):.3f}, limit {median(limits):.3f}, T is {share:.0%} of T + S, "
        f"{len(ratios)} pairs",
    )


def limit(teacher: float, student: float) -> float:
    """Return the least ratio: one forward pass of the teacher for all members, in place of one for each."""
    return (teacher + MEMBERS * student) / (MEMBERS * (teacher + student))


def trial(member: int) -> TrialSpec:
    """Return a member's trial: they differ in a weight, as those of a sweep do."""
    return TrialSpec(
        dataset=ShapesDataset(kind="shapes", train_images=IMAGES, val_images=1, image_size=SIZE),
        student=Detector(config=GFL, backbone_depth=18, weights="random"),
        teacher=TEACHER,
        method=Bckd(kind="bckd", alpha1=1.0 + member / MEMBERS),
        schedule=Schedule(epochs=EPOCHS, batch_size=BATCH, lr=1e-5, val_interval=EPOCHS),
    )


def epochs(setting: Setting, members: int) -> Iterator[Any]:
    """Train all members one more epoch at each question."""
    placement = Placement(threads=setting.threads, cuda=setting.cuda)
    jobs = [
        Job(trial=trial(member), trial_id=f"member {member}", directory=mkdtemp(), placement=placement)
        for member in range(members)
    ]
    records = train(jobs)
    while True:
        yield [next(records) for _ in jobs]


def timed_looks(solo: Iterator[Any], setting: Setting) -> float:
    """Train one more epoch and return how many seconds of it the teacher took."""
    with stopwatch(setting) as spent:
        next(solo)
    return sum(spent)


@contextmanager
def stopwatch(setting: Setting) -> Iterator[list[float]]:
    """Note how long each of the teacher's looks takes."""
    forward, spent = FrozenTeacher.forward, []

    def timed(teacher: FrozenTeacher, inputs: Any, *precision: Any) -> Any:
        began = setting.clock.now()
        head_outputs = forward(teacher, inputs, *precision)
        spent.append(setting.clock.now() - began)
        return head_outputs

    with patch.object(FrozenTeacher, "forward", timed):
        yield spent
