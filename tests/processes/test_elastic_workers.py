"""Two gloo workers, one, and two again train what a fixed group of two trains, up to the order of floating-point sums."""

from pathlib import Path

import pytest
import torch

from tests.processes.gloo import WORKERS, GlooPair
from tests.unit.trainers.state.test_resume import die_at
from tests.unit.trainers.tiny import assert_same_run, changed, dataset, job, results, sgd, state
from trainers.loop.loop import train, train_alone
from trainers.schema import Job, TrialSpec
from trainers.schema.events import read_events
from trainers.schema.record import Record, read_history

EPOCHS, STEPS = 4, 2  # of an epoch
LEAVES_AT, COMES_AT = 3, 6  # steps: one worker leaves in the second epoch, and comes back at the end of the third
# A step's sums differ in their order only: by some 1e-6 of a loss, since a float32 carries 6e-8 and a loss adds up
# thousands of anchors. Training carries a difference from step to step; over eight steps at this rate it stays below
# a hundred times that, while another batch norm, divisor or image changes a loss by more than a hundredth.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def spec(distilled: TrialSpec) -> TrialSpec:
    """Return a BCKD trial whose batch norms train, in two shares."""
    data = dataset(train_images=8, val_images=3, max_objects=8)
    return changed(distilled, dataset=data, schedule=sgd(epochs=EPOCHS, batch_size=4, lr=1e-3), shares=WORKERS)


@pytest.fixture(scope="module")
def trained(spec: TrialSpec, gloo_pair: GlooPair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one trial in a fixed group, one in an elastic group of that size, and one whose group changes."""
    folder = tmp_path_factory.mktemp("elastic")
    fixed, whole, resized = changed(spec, shares=None), spec, spec
    jobs = [
        job(trial, folder / name, checkpoint_steps=1)
        for trial, name in ((fixed, "fixed"), (whole, "whole"), (resized, "resized"))
    ]
    texts = [one.model_dump_json() for one in jobs]
    gloo_pair.run(as_two, folder, texts)
    die_at(jobs[2], COMES_AT)  # alone
    gloo_pair.run(to_the_end, folder, texts[2])
    train_alone(job(spec, folder / "alone"))
    return folder


def as_two(rank: int, texts: list[str]) -> None:
    fixed, whole, resized = (Job.model_validate_json(text) for text in texts)
    list(train([fixed]))
    list(train([whole]))
    die_at(resized, LEAVES_AT)


def to_the_end(rank: int, text: str) -> None:
    list(train([Job.model_validate_json(text)]))


def losses(record: Record) -> dict[str, float]:
    return {name: value for name, value in record.metrics.items() if name.startswith(("loss/", "grad"))}


def test_a_group_of_full_size_trains_to_the_bit_what_a_fixed_one_trains(trained: Path) -> None:
    assert results(read_history(trained / "whole")) == results(read_history(trained / "fixed"))
    assert_same_run(trained / "fixed", trained / "whole")


@pytest.mark.parametrize("name", ["resized", "alone"])
def test_other_sizes_train_the_same_up_to_the_order_of_sums(trained: Path, name: str) -> None:
    fixed, found = read_history(trained / "fixed"), read_history(trained / name)
    assert [record.step for record in found] == [record.step for record in fixed] == [2, 4, 6, 8]
    for one, other in zip(found, fixed, strict=True):
        assert losses(one) == pytest.approx(losses(other), rel=TOLERANCE)
        assert one.metrics["lr"] == other.metrics["lr"]
    weights = state(trained / name / "last.pth")
    for key, value in state(trained / "fixed" / "last.pth").items():
        torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-5, msg=key)


def test_the_images_of_one_worker_as_a_whole_train_something_else(
    spec: TrialSpec, trained: Path, tmp_path: Path
) -> None:
    """The bound is sharp: without shares one worker's batch norms see the whole batch."""
    train_alone(job(changed(spec, shares=None), tmp_path))
    far = losses(read_history(tmp_path)[0])["loss/total"] / losses(read_history(trained / "fixed")[0])["loss/total"] - 1
    assert abs(far) > 100 * TOLERANCE


def test_the_timeline_and_the_history_tell_the_sizes(trained: Path) -> None:
    events = read_events(trained / "resized")
    assert [(event.kind, event.action) for event in events] == [
        ("resized", "go on with 1 worker"),
        ("resized", "go on with 2 workers"),
    ]
    first, second, third, fourth = (record.workers for record in read_history(trained / "resized"))
    assert (first, fourth) == (2.0, 2.0)
    assert second is not None
    assert 1.0 < second < 2.0
    assert third == 1.0
    assert read_history(trained / "fixed")[0].workers is None
