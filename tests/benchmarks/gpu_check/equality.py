"""Compare trials that were interrupted, or trained side by side, with the same trials trained alone.

A CPU repeats a training to the bit. A GPU does not: its kernels add in changing order. So differences have bounds, and the
difference of two trainings of the same kind stands beside them.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

from tests.benchmarks.gpu_check.budget import Budget, Row
from tests.benchmarks.gpu_check.scale import Scale
from tests.unit.trainers.tiny import detector, job, sgd, trial
from trainers.loop.loop import train, train_alone
from trainers.schema import Bckd, Job, Teacher, TrialSpec
from trainers.schema.record import Record
from trainers.schema.schedule import Precision

BOUNDS: dict[Precision, float] = {"fp32": 1e-3, "bf16": 2e-2}  # relative, of each loss of each epoch; 0 on a CPU
COHORT = 3


def names(_scale: Scale) -> list[str]:
    """Return the names of the comparisons."""
    return [_name(what, precision) for precision in BOUNDS for what in KINDS]


def measure(scale: Scale, budget: Budget, record: Callable[[Row], None]) -> None:
    """Record the comparisons."""
    cells = [partial(_compared, scale, what, precision) for precision in BOUNDS for what in KINDS]
    budget.spend(cells, record)


def _compared(scale: Scale, what: str, precision: Precision) -> Row:
    cuda = scale.device.type == "cuda"
    found = max(map(difference, KINDS[what](precision, cuda), _reference(precision, cuda)))
    bound = BOUNDS[precision] if cuda else 0.0
    return {"name": _name(what, precision), "difference": found, "bound": bound, "holds": found <= bound}


def difference(first: list[Record], second: list[Record]) -> float:
    """Return the largest relative difference of a loss; infinite where histories differ in length or names."""
    pairs = [(_losses(one), _losses(other)) for one, other in zip(first, second, strict=False)]
    if len(first) != len(second) or any(one.keys() != other.keys() for one, other in pairs):
        return float("inf")
    return max(abs(one[key] - other[key]) / max(abs(other[key]), 1e-6) for one, other in pairs for key in one)


def _losses(record: Record) -> dict[str, float]:
    return {key: value for key, value in record.metrics.items() if key.startswith("loss/")}


def _alone(precision: Precision, cuda: bool) -> list[list[Record]]:
    return [train_alone(_job(number, precision, cuda)) for number in range(COHORT)]


_reference = cache(_alone)


def _resumed(precision: Precision, cuda: bool) -> list[list[Record]]:
    return [_interrupted(_job(number, precision, cuda)) for number in range(COHORT)]


def _interrupted(wanted: Job) -> list[Record]:
    records = train([wanted])
    next(records)
    records.close()  # type: ignore[attr-defined]
    return train_alone(wanted)


def _together(precision: Precision, cuda: bool) -> list[list[Record]]:
    jobs = [_job(number, precision, cuda) for number in range(COHORT)]
    found: dict[str, list[Record]] = {wanted.trial_id: [] for wanted in jobs}
    for trial_id, record in train(jobs):
        found[trial_id].append(record)
    return list(found.values())


KINDS = {"alone, once more": _alone, "resumed after the first epoch": _resumed, "side by side": _together}


def _name(what: str, precision: Precision) -> str:
    return f"{what}, {precision}"


def _job(number: int, precision: Precision, cuda: bool) -> Job:
    return job(_trial(number, precision), Path(mkdtemp()), f"trial {number}", cuda=cuda)


def _trial(number: int, precision: Precision) -> TrialSpec:
    return trial(
        teacher=Teacher(detector=detector(2.0), weights=None),
        method=Bckd(kind="bckd", alpha1=1.0 + number / COHORT),
        schedule=sgd(precision=precision),
    )
