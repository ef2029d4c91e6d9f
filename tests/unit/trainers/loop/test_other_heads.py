"""Train small RTMDets, TOODs and VFNets for two steps: interrupted, exported, and with a teacher."""

from pathlib import Path
from typing import Any

import pytest
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MessageHub

from tests.unit.trainers.state.test_resume import die_at
from tests.unit.trainers.tiny import assert_same_run, dataset, detector, differing, job, sgd, state, trial
from tests.unit.trainers.tiny_heads import config_of
from trainers.loop.loop import train_alone
from trainers.schema import Bckd, Teacher, TrialSpec
from trainers.schema.method import CrossKd
from trainers.schema.record import read_history
from trainers.schema.schedule import AdamW, ConstantPolicy, Ema

METHODS: dict[str, Any] = {
    "rtmdet": CrossKd(kind="crosskd", convs=1),
    "tood": Bckd(kind="bckd"),
    "vfnet": CrossKd(kind="crosskd", convs=1),
}


def distilled(head: str) -> TrialSpec:
    """Return a trial of two epochs of one step each, whose weights are averaged."""
    here = detector(config=str(config_of(head)))
    rule = AdamW(kind="adamw", norm_weight_decay=False, bias_weight_decay=False)
    schedule = sgd(epochs=2, optimizer=rule, lr=1e-3, policy=ConstantPolicy(kind="constant"), ema=Ema())
    return trial(
        dataset=dataset(train_images=4, val_images=2),
        student=here,
        teacher=Teacher(detector=here, weights=None),
        method=METHODS[head],
        schedule=schedule,
    )


@pytest.mark.parametrize("head", METHODS)
def test_two_steps_resume_to_the_bit_and_export_to_plain_mmdet(head: str, tmp_path: Path) -> None:
    spec, undisturbed, interrupted = distilled(head), tmp_path / "undisturbed", tmp_path / "interrupted"
    train_alone(job(spec, undisturbed))
    if head == "tood":
        assert MessageHub.get_current_instance().get_info("epoch") == 1  # of the last step, counted from 0
    die_at(job(spec, interrupted, checkpoint_steps=1), 1)
    train_alone(job(spec, interrupted, checkpoint_steps=1))
    assert_same_run(undisturbed, interrupted)
    history = read_history(undisturbed)
    assert [record.step for record in history] == [1, 2]
    assert all(history[0].metrics[f"loss/{name}"] > 0 for name in ("cls", "bbox"))
    plain = MODELS.build(Config.fromfile(undisturbed / "config.py").model)
    plain.load_state_dict(state(undisturbed / "last.pth"), strict=True)
    assert differing(plain.state_dict(), state(undisturbed / "last.pth")) == []
