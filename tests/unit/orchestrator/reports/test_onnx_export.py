"""Refuse an ONNX export before anything is written."""

import shlex
from argparse import Namespace
from pathlib import Path

import pytest

from orchestrator.commands.export import _as_onnx as as_onnx
from orchestrator.core.errors import UserError
from orchestrator.reports import onnx_export
from orchestrator.reports.onnx_export import OnnxFiles, export_onnx, require_counterpart
from trainers.schema import Detector, NoDistillation, Schedule, ShapesDataset, TrialSpec
from trainers.schema.predictions import Subject


def subject(folder: Path, config: str) -> Subject:
    """Return a trial's student with this config beside its checkpoint."""
    (folder / "config.py").write_text(config)
    spec = TrialSpec(
        dataset=ShapesDataset(kind="shapes"),
        student=Detector(config="mmdet::vfnet/vfnet_r50_fpn_1x_coco.py"),
        method=NoDistillation(kind="none"),
        schedule=Schedule(epochs=12, batch_size=1, lr=0.1),
    )
    return Subject(id="0123456789ab", name="none", spec=spec, checkpoint=str(folder / "best.pth"))


def test_a_missing_extra_is_one_sentence_that_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "NEEDED", ("onnx", "a_package_that_is_not_there"))
    with pytest.raises(
        UserError, match=r"^--format onnx needs a_package_that_is_not_there: pip install 'stillhouse\[onnx\]'$"
    ):
        export_onnx(None, None, "best", tmp_path / "out", replace=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("folder", ["out", "my out", "it's out"])
def test_the_command_that_export_names_can_be_pasted(
    folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = OnnxFiles("0123456789ab", Path(folder) / "student.onnx", Path(folder) / "detect.py")
    monkeypatch.setattr(onnx_export, "export_onnx", lambda *_, **__: files)
    as_onnx(None, None, Namespace(trial="best", to=folder, force=False, json=False))
    _, said = capsys.readouterr().out.splitlines()
    assert shlex.split(said.removeprefix("use: ")) == ["python", f"{folder}/detect.py", "IMAGE"]


def test_a_head_without_a_counterpart_is_named_with_the_trial(tmp_path: Path) -> None:
    vfnet = "model = dict(type='VFNet', bbox_head=dict(type='VFNetHead'), test_cfg=dict(nms_pre=1000))\n"
    with pytest.raises(UserError, match=r"trial 0123456789ab cannot be written as ONNX: VFNetHead has deformable"):
        require_counterpart(subject(tmp_path, vfnet))


def test_a_head_with_a_counterpart_passes(tmp_path: Path) -> None:
    test = "dict(nms_pre=1000, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.6), max_per_img=100)"
    require_counterpart(subject(tmp_path, f"model = dict(bbox_head=dict(type='GFLHead'), test_cfg={test})\n"))
