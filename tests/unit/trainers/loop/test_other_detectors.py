"""Train detectors whose heads nobody has described: interrupted, with a teacher of features, beside others, exported."""

from pathlib import Path

import pytest

from tests.detectors_table.proof import prove
from tests.unit.trainers.other_detectors import CENTERNET, DEFORMABLE_DETR, DYNAMIC_RCNN, FASTER_RCNN, YOLOV3
from tests.unit.trainers.tiny import assert_same_run, dataset, job, sgd, trial
from trainers.loop.loop import train, train_alone
from trainers.schema import Detector, NoDistillation, Teacher, TrialSpec
from trainers.schema.method import MgdMethod
from trainers.schema.record import read_history
from trainers.schema.schedule import ConstantPolicy, Ema


@pytest.mark.parametrize(
    "detector", [DYNAMIC_RCNN, CENTERNET, YOLOV3, DEFORMABLE_DETR], ids=["two-stage", "centres", "anchors", "queries"]
)
def test_a_study_can_use_it_from_end_to_end(detector: Detector, tmp_path: Path) -> None:
    prove(detector, tmp_path)


def spec(method: NoDistillation | MgdMethod, **changes: object) -> TrialSpec:
    """Return a trial of one epoch of two steps with the same teacher, data and seed."""
    schedule = sgd(epochs=1, batch_size=2, lr=1e-3, policy=ConstantPolicy(kind="constant"), **changes)
    teacher = None if method.kind == "none" else Teacher(detector=YOLOV3, weights=None)
    data = dataset(train_images=4, val_images=2)
    return trial(dataset=data, student=FASTER_RCNN, teacher=teacher, method=method, schedule=schedule)


def test_students_side_by_side_are_those_that_train_alone(tmp_path: Path) -> None:
    alone = spec(NoDistillation(kind="none"), ema=Ema())
    distilled = spec(MgdMethod(kind="mgd", levels=1))
    trials = {"alone": alone, "distilled": distilled}
    for name, one in trials.items():
        train_alone(job(one, tmp_path / name, name))
    together = [job(one, tmp_path / f"{name} together", name) for name, one in trials.items()]
    assert len(list(train(together))) == 2
    for name in trials:
        assert_same_run(tmp_path / name, tmp_path / f"{name} together")
    losses = read_history(tmp_path / "alone")[-1].metrics
    assert {"loss/rpn_cls", "loss/rpn_bbox", "loss/cls", "loss/bbox", "loss/total"} <= losses.keys()
    assert "loss/acc" not in losses
    parts = [losses[f"loss/{name}"] for name in ("rpn_cls", "rpn_bbox", "cls", "bbox")]
    assert sum(parts) == pytest.approx(losses["loss/total"])
