"""A student does not inherit what means something else in its own head, and says why."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainers.tiny import job, sgd, trial
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.formats.codings import apart
from trainers.formats.weights import Coverage, inherit
from trainers.loop.loop import train_alone
from trainers.schema import Bckd, Detector, Teacher

HEADS = ("gfl", "atss", "fcos", "retinanet", "yolox", "rtmdet", "tood", "vfnet")
BOXES = {
    "gfl": ("gfl_reg", "scales"),
    "atss": ("atss_reg", "scales"),
    "fcos": ("conv_reg", "scales"),
    "retinanet": ("retina_reg",),
    "yolox": ("multi_level_conv_reg",),
    "rtmdet": ("rtm_reg",),
    "tood": ("tood_reg", "scales", "reg_offset_module"),
    "vfnet": ("vfnet_reg", "vfnet_reg_refine", "scales", "scales_refine"),
}
# Changes of a head's config that keep every shape and change what its outputs mean.
MEANINGS = [
    ("gfl", {"anchor_generator": {"strides": [16, 32, 64]}}, "strides"),
    ("atss", {"bbox_coder": {"target_stds": [1.0, 1.0, 1.0, 1.0]}}, "bbox_coder"),
    ("atss", {"anchor_generator": {"octave_base_scale": 2}}, "priors"),
    ("fcos", {"norm_on_bbox": True}, "norm_on_bbox"),
    ("fcos", {"strides": [4, 8, 16]}, "strides"),
    ("retinanet", {"anchor_generator": {"ratios": [0.4, 1.0, 2.5]}}, "priors"),
    ("retinanet", {"bbox_coder": {"target_means": [0.1, 0.0, 0.0, 0.0]}}, "bbox_coder"),
    ("rtmdet", {"exp_on_reg": False}, "exp_on_reg"),
    ("tood", {"anchor_type": "anchor_based"}, "anchor_type"),
    ("vfnet", {"bbox_norm_type": "stride"}, "bbox_norm_type"),
    ("vfnet", {"regress_ranges": ((-1, 32), (32, 64), (64, 1e8))}, "reg_denoms"),
]


def with_head(name: str, changes: dict[str, Any], folder: Path, seed: int) -> Any:
    """Return a small detector whose head's config is changed."""
    path = folder / "changed.py"
    path.write_text(f"_base_ = {str(config_of(name))!r}\nmodel = {{'bbox_head': {changes!r}}}\n")
    return woken(path, seed)


def left_alone(student: Any, before: dict[str, Any], coverage: Coverage) -> set[str]:
    """Return the layers of a student's head that it has not inherited, which must be those that are named."""
    after = student.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in coverage.left_out)
    return {key.split(".")[1] for key in coverage.left_out}


@pytest.mark.parametrize("name", HEADS)
def test_heads_of_one_coding_are_inherited_whole(name: str) -> None:
    teacher, student = woken(config_of(name), 1), woken(config_of(name), 2)
    coverage = inherit(student, teacher)
    assert (coverage.share, coverage.left_out, coverage.note) == (1.0, (), "")
    own, theirs = student.bbox_head.state_dict(), teacher.bbox_head.state_dict()
    assert all(torch.equal(own[key], theirs[key]) for key in own)


@pytest.mark.parametrize(("name", "changes", "setting"), MEANINGS)
def test_the_box_predictor_of_another_coding_stays_the_students(
    name: str, changes: dict[str, Any], setting: str, tmp_path: Path
) -> None:
    teacher, student = woken(config_of(name), 1), with_head(name, changes, tmp_path, 2)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    coverage = inherit(student, teacher)
    assert left_alone(student, before, coverage) == set(BOXES[name])
    assert "the box predictor is not inherited" in coverage.note
    assert f"{setting}: " in coverage.note
    assert coverage.missing == ()
    assert coverage.share == pytest.approx(1.0 - len(coverage.left_out) / coverage.total)


def test_more_bins_leave_the_scales_out_too(tmp_path: Path) -> None:
    teacher, student = woken(config_of("gfl"), 1), with_head("gfl", {"reg_max": 4}, tmp_path, 2)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    coverage = inherit(student, teacher)
    assert left_alone(student, before, coverage) == {"gfl_reg", "scales"}
    assert "reg_max: 4 here, 2 in the teacher" in coverage.note


def test_a_centerness_of_the_other_branch_stays_the_students(tmp_path: Path) -> None:
    teacher, student = woken(config_of("fcos"), 1), with_head("fcos", {"centerness_on_reg": True}, tmp_path, 2)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    coverage = inherit(student, teacher)
    assert left_alone(student, before, coverage) == {"conv_centerness"}
    assert "centerness_on_reg: True here, False in the teacher" in coverage.note


def test_heads_of_two_kinds_share_no_box_predictor() -> None:
    """GFL, ATSS and FCOS all call a layer ``scales``; each multiplies something else."""
    teacher, student = woken(config_of("atss"), 1), woken(config_of("gfl"), 2)
    assert apart(student.bbox_head, teacher.bbox_head).holds("bbox_head.scales.0.scale")
    before = {key: value.clone() for key, value in student.state_dict().items()}
    assert "scales" in left_alone(student, before, inherit(student, teacher))


def test_the_weights_report_says_what_was_left_out_and_why(tmp_path: Path) -> None:
    plain, centred = (Detector(config=str(config_of(name)), weights="random") for name in ("fcos", "fcos_normed"))
    method = Bckd(kind="bckd", inherit=True)
    spec = trial(teacher=Teacher(detector=plain, weights=None), method=method, schedule=sgd(iterations=0))
    train_alone(job(spec.model_copy(update={"student": centred}), tmp_path))
    report = json.loads((tmp_path / "weights.json").read_text())["inherited"]
    assert {key.split(".")[1] for key in report["left_out"]} == {"conv_reg", "scales", "conv_centerness"}
    assert "norm_on_bbox: True here, False in the teacher" in report["note"]
    assert "centerness" in report["note"]
