"""All workers of a group evaluate the same averaged weights."""

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.processes.gloo import GlooPair
from tests.unit.trainers.state.test_ema import SETTINGS
from tests.unit.trainers.tiny import dataset, differing, job, sgd, state, trial
from trainers.loop import loop
from trainers.loop.loop import train
from trainers.schema import Job


def test_all_workers_evaluate_the_same_average(gloo_pair: GlooPair, tmp_path: Path) -> None:
    spec = trial(dataset=dataset(val_images=2), schedule=sgd(ema=SETTINGS))
    text = job(spec, tmp_path / "trial").model_dump_json()
    first, second = gloo_pair.run(work, tmp_path, text)
    assert len(first) == len(second) == 3
    for one, other in zip(first, second, strict=True):
        assert differing(one, other) == []
    assert differing(state(tmp_path / "trial" / "last.pth"), first[-1]) == []


def work(rank: int, text: str) -> list[dict[str, Tensor]]:
    """Be one worker of a group; return the weights of what it was to evaluate after each epoch."""
    seen: list[dict[str, Tensor]] = []

    def note(detector: Any, *_: object, **__: object) -> None:
        seen.append({name: tensor.clone() for name, tensor in detector.state_dict().items()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "evaluate", note)
        for _ in train([Job.model_validate_json(text)]):
            pass
    return seen
