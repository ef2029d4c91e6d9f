"""Prove that two workers start from the state of two others, with the bits of their own training."""

from pathlib import Path

import pytest

from tests.processes.gloo import WORKERS, GlooPair
from tests.unit.trainers.loop.test_prefix import PAIRS
from tests.unit.trainers.tiny import assert_same_run, job
from trainers.loop.loop import train
from trainers.schema import Job, Teacher
from trainers.schema.record import read_history, steps_of_others
from trainers.schema.trial import Prefix


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a later milestone", "a later term"])
def test_two_workers_start_from_a_state_to_the_bit(
    name: str, teacher: Teacher, gloo_pair: GlooPair, tmp_path: Path
) -> None:
    make, epoch = PAIRS[name]
    first, second = make(teacher)
    donor, child, alone = (tmp_path / part for part in ("donor", "child", "alone"))
    start = Prefix(trial="donor", directory=str(donor), file="shared.pt", epoch=epoch, step=2 * epoch)
    jobs = [
        job(first, donor, "donor", workers=WORKERS).model_copy(update={"hands_on": {epoch: "shared.pt"}}),
        job(second, child, "child", workers=WORKERS).model_copy(update={"prefix": start}),
        job(second, alone, "alone", workers=WORKERS),
    ]
    gloo_pair.run(train_all, tmp_path, [one.model_dump_json() for one in jobs])
    assert_same_run(alone, child)
    assert steps_of_others(read_history(child)) == 2 * epoch


def train_all(rank: int, texts: list[str]) -> None:
    """Train one trial after the other."""
    for text in texts:
        list(train([Job.model_validate_json(text)]))
