"""Building a study's detectors once finds what would end their training, in one sentence each."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainers.tiny import CONFIG
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.build_check.check import _shortened, answer_to, main, problems_of
from trainers.schema import Bckd, Detector, MethodSpec, Teacher, Weights
from trainers.schema.build import BuildAnswer, BuildProblem, BuildRequest, BuildUnit
from trainers.schema.detector import CheckpointWeights
from trainers.schema.method import Gid, Ld, PkdMethod

CLASSES = ("cat", "dog", "cow")
LD_LOSS = {"type": "KnowledgeDistillationKLDivLoss", "loss_weight": 0.25, "T": 10}
BCKD = Bckd(kind="bckd")


def changed(
    folder: Path, model: dict[str, Any], base: str | Path = CONFIG, name: str = "odd.py", tail: str = ""
) -> Detector:
    """Return a detector whose local config changes another's model."""
    (folder / name).write_text(f"_base_ = {str(base)!r}\nmodel = {model!r}\n{tail}")
    return Detector(config=str(folder / name), weights="random")


def tiny(head: str = "gfl") -> Detector:
    return Detector(config=str(config_of(head)), weights="random")


def found(student: Detector, teacher: Detector | None = None, *methods: MethodSpec, **unit: Any) -> list[BuildProblem]:
    there = None if teacher is None else Teacher(detector=teacher, weights=None)
    return list(problems_of(BuildUnit(key="k", student=student, teacher=there, methods=methods, **unit), CLASSES))


@pytest.mark.parametrize(
    "head", ["gfl", "atss", "fcos", "fcos_normed", "retinanet", "yolox", "rtmdet", "tood", "vfnet"]
)
def test_a_sound_detector_has_no_problem(head: str) -> None:
    assert found(tiny(head), tiny(head), BCKD) == []


@pytest.mark.parametrize(
    ("model", "tail", "says"),
    [
        ({"bbox_head": {"type": "LDHead", "loss_ld": LD_LOSS}}, "", "cannot train it: TypeError: LDHead.loss() missing 1 required positional"),
        ({"neck": {"type": "NoSuchNeck"}}, "", "KeyError: NoSuchNeck is not in the mmdet::model registry"),
        ({"neck": {"in_channels": [16, 8, 64, 128]}}, "", "RuntimeError: Given groups=1"),
        ({"neck": {"num_outs": 2}}, "", "AssertionError"),
        ({"neck": {"out_channels": 48}}, "", "cannot train it: RuntimeError: Given groups=1"),
        ({"bbox_head": {"loss_cls": {"type": "NoSuchLoss"}}}, "", "NoSuchLoss is not in the mmdet::model registry"),
        ({"train_cfg": None}, "", "cannot train it: "),
        ({"bbox_head": {"init_cfg": {"type": "Pretrained", "checkpoint": "gone.pth"}}}, "", "gone.pth can not be found"),
        ({}, "custom_imports = dict(imports=['no_such_package'])", "needs the Python package no_such_package"),
    ],
)  # fmt: skip
def test_what_cannot_be_built_or_trained_is_explained(
    model: dict[str, Any], tail: str, says: str, tmp_path: Path
) -> None:
    [problem] = found(changed(tmp_path, model, tail=tail))
    assert problem.part == "student"
    assert says in problem.message
    assert "\n" not in problem.message


def test_a_neck_whose_operator_does_not_suit_ours_is_found() -> None:
    [problem] = found(Detector(config="mmdet::dyhead/atss_r50_fpn_dyhead_1x_coco.py", weights="random"))
    assert problem.message.startswith("cannot train it: RuntimeError: offset output dims")


def test_a_missing_package_of_a_shipped_config_is_named() -> None:
    [problem] = found(
        Detector(config="mmdet::timm_example/retinanet_timm-tv-resnet50_fpn_1x_coco.py", weights="random")
    )
    assert problem.message.endswith("it needs the Python package mmpretrain, which is not installed here")


@pytest.mark.parametrize(
    ("head", "model", "method", "says"),
    [
        ("gfl", {"neck": {"start_level": 0, "num_outs": 4}, "bbox_head": {"anchor_generator": {"strides": [4, 8, 16, 32]}}}, BCKD,
         "bckd needs equal strides: the teacher's are [(8, 8), (16, 16), (32, 32)], the student's [(4, 4), (8, 8), (16, 16), (32, 32)]"),
        ("gfl", {"bbox_head": {"reg_max": 4}}, Ld(kind="ld"), "ld needs equal reg_max: the teacher's are 2, the student's 4"),
        ("retinanet", {"bbox_head": {"anchor_generator": {"octave_base_scale": 8}}}, Gid(kind="gid-response"),
         "gid-response needs equal anchors"),
        ("retinanet", {"bbox_head": {"anchor_generator": {"ratios": [1.0]}}}, BCKD, "bckd needs as many anchors at a place"),
    ],
)  # fmt: skip
def test_pairs_that_a_method_cannot_compare_are_named(
    head: str, model: dict[str, Any], method: MethodSpec, says: str, tmp_path: Path
) -> None:
    student = changed(tmp_path, model, config_of(head))
    [problem] = found(student, tiny(head), method)
    assert (problem.part, problem.method) == ("method", 0)
    assert says in problem.message
    assert found(student, changed(tmp_path, model, config_of(head), "same.py"), method) == []


def test_what_a_method_does_not_compare_may_differ(tmp_path: Path) -> None:
    wide = changed(tmp_path, {"neck": {"out_channels": 64}, "bbox_head": {"in_channels": 64, "feat_channels": 64}})
    assert found(wide, tiny(), BCKD) == []
    assert found(wide, tiny(), PkdMethod(kind="pkd")) == []  # through a connector
    coarse = changed(tmp_path, {"bbox_head": {"reg_max": 4}}, name="coarse.py")
    assert found(coarse, tiny(), BCKD, PkdMethod(kind="pkd")) == []


def test_each_method_is_judged_by_itself(tmp_path: Path) -> None:
    student = changed(tmp_path, {"bbox_head": {"reg_max": 4}})
    assert [problem.method for problem in found(student, tiny(), BCKD, Ld(kind="ld"))] == [1]


def test_a_checkpoint_has_to_fit(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    for content, says in (
        ({"state_dict": woken(config_of("atss"), 1).state_dict()}, "does not fit the detector"),
        (
            {"state_dict": woken(Path(CONFIG), 1).state_dict(), "meta": {"CLASSES": ("a", "b", "c")}},
            "trained on the classes",
        ),
    ):
        torch.save(content, path)
        [problem] = found(tiny(), init=Weights(path=str(path)))
        assert problem.part == "weights"
        assert says in problem.message
    torch.save(woken(Path(CONFIG), 1).state_dict(), path)
    assert found(tiny(), init=Weights(path=str(path))) == []


def test_units_are_answered_in_their_order(tmp_path: Path) -> None:
    units = (BuildUnit(key="a", student=tiny()), BuildUnit(key="b", student=changed(tmp_path, {"train_cfg": None})))
    (tmp_path / "asked").write_text(BuildRequest(classes=CLASSES, units=units).model_dump_json())
    main(tmp_path / "asked", tmp_path / "answers")
    lines = (tmp_path / "answers").read_text().splitlines()
    answers = [BuildAnswer.model_validate_json(line) for line in lines]
    assert [(answer.key, len(answer.problems)) for answer in answers] == [("a", 0), ("b", 1)]


# ------------------------------------------------------------------------------------------------- detectors as a start


def starts(folder: Path, theirs: Any, names: tuple[str, ...], detector: Detector) -> BuildAnswer:
    torch.save({"meta": {"dataset_meta": {"classes": names}}, "state_dict": theirs.state_dict()}, folder / "coco.pth")
    weights = CheckpointWeights(kind="checkpoint", path=str(folder / "coco.pth"))
    unit = BuildUnit(key="k", student=detector.model_copy(update={"weights": weights}), starts=True)
    return answer_to(unit, CLASSES)


def test_a_start_is_reported_in_words_and_as_data(tmp_path: Path) -> None:
    theirs = woken(config_of("gfl"), 1, 5)
    answer = starts(tmp_path, theirs, ("pig", "cat", "hen", "fox", "elk"), tiny())
    assert answer.problems == ()
    assert answer.start is not None
    tensors = len(theirs.state_dict())
    assert answer.start.said.startswith(
        f"{tensors - 2} of {tensors} tensors are taken from coco.pth; of 2 (bbox_head.gfl_"
    )
    assert answer.start.said.endswith("the rows of cat, those of dog, cow start fresh")
    assert answer.start.report["classes_taken"] == ["cat"]
    assert BuildAnswer.model_validate_json(answer.model_dump_json()) == answer


def test_a_start_of_another_architecture_is_a_problem_of_the_weights(tmp_path: Path) -> None:
    [problem] = starts(tmp_path, woken(config_of("atss"), 1), CLASSES, tiny()).problems
    assert problem.part == "start"
    assert "is of another architecture than the detector: " in problem.message


SSD = Detector(config="mmdet::pascal_voc/ssd300_voc0712.py", weights="random")


@pytest.mark.parametrize(
    ("size", "says"),
    [
        ((320, 320), ""),
        ((1333, 800), ""),
        ((320, 240), "cannot train it on images of 320 x 240 pixels: RuntimeError: "),
    ],
)
def test_a_head_that_nobody_described_is_tried_with_the_studys_images(size: tuple[int, int], says: str) -> None:
    problems = found(SSD, canvas=size)
    assert [says in problem.message for problem in problems] == ([True] if says else [])


def test_large_images_keep_their_remainders() -> None:
    for side in (512, 513, 800, 1333):
        assert 384 <= _shortened(side) < 512
        assert _shortened(side) % 128 == side % 128
    assert [_shortened(side) for side in (64, 300, 511)] == [64, 300, 511]
