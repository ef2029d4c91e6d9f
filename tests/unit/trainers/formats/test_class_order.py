"""A checkpoint's classes are known by name: in another order they are put right to the bit, others are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from mmdet.structures import DetDataSample

from tests.unit.trainers.tiny import CONFIG, TrainOnce, job, results, sgd, state, trial
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.detectors.detector import build_empty
from trainers.errors import TrialError
from trainers.formats.class_rows import class_tensors
from trainers.formats.weights import load_weights, read_weights
from trainers.loop.loop import train_alone
from trainers.schema import Bckd, Detector, Teacher, Weights
from trainers.schema.checkpoint_classes import OtherClasses, class_order, classes_in, named_classes
from trainers.schema.class_names import COCO80
from trainers.schema.record import read_history

THEIRS, OURS = ("cat", "dog", "cow", "pig"), ("pig", "cat", "cow", "dog")
SOFTMAX = {"bbox_head": {"loss_cls": {"_delete_": True, "type": "CrossEntropyLoss", "use_sigmoid": False}}}


def saved(path: Path, model: Any, meta: Any, legacy: bool = False) -> Weights:
    content = {"state_dict": model.state_dict(), "meta": meta}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return Weights(path=str(path))


def seen(model: Any, classes: tuple[str, ...]) -> dict[str, list[torch.Tensor]]:
    """Return a detector's classification logits of two images by the name of the class, a list over levels.

    In float64, of which nothing but rounding is left: which kernel multiplies which columns together depends on the number
    of threads, so float32's last bits may follow a class's place.
    """
    inputs = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        levels = model.double().eval().bbox_head(model.extract_feat(inputs))[0]
    outputs = model.bbox_head.cls_out_channels
    named = (*classes, "background")[:outputs]
    assert len(named) == outputs
    by_anchor = [level.reshape(2, -1, outputs, *level.shape[2:]) for level in levels]
    return {name: [level[:, :, place] for level in by_anchor] for place, name in enumerate(named)}


@pytest.mark.parametrize(
    ("head", "changes"),
    [
        ("gfl", {}), ("atss", {}), ("fcos", {}), ("fcos_normed", {}), ("retinanet", {}), ("retinanet", SOFTMAX),
        ("yolox", {}), ("rtmdet", {}), ("tood", {}), ("vfnet", {}),
    ],
    ids=["gfl", "atss", "fcos", "fcos-normed", "retinanet", "retinanet-softmax", "yolox", "rtmdet", "tood", "vfnet"],
)  # fmt: skip
def test_a_teacher_of_another_order_answers_the_same(head: str, changes: dict[str, Any], tmp_path: Path) -> None:
    config = tmp_path / "detector.py"
    config.write_text(f"_base_ = {str(config_of(head))!r}\nmodel = {changes!r}\n")
    theirs, ours = (woken(config, seed, len(THEIRS)) for seed in (1, 2))
    coverage = load_weights(ours, saved(tmp_path / "w.pth", theirs, {"CLASSES": THEIRS}), "teacher", OURS)
    before, after = seen(theirs, THEIRS), seen(ours, OURS)
    assert before.keys() == after.keys()
    for name, levels in before.items():
        torch.testing.assert_close(after[name], levels, rtol=1e-11, atol=1e-11)
    assert (before["cat"][0] - before["pig"][0]).abs().max() > 1e-6
    assert "another order (cat, dog, cow, pig)" in coverage.note


def test_detections_of_a_teacher_of_another_order_are_the_same_objects(tmp_path: Path) -> None:
    """Scores agree to float32's rounding: torch's sigmoid rounds by an element's place in memory."""
    theirs, ours = (woken(Path(CONFIG), seed, len(THEIRS)).eval() for seed in (1, 2))
    load_weights(ours, saved(tmp_path / "w.pth", theirs, {"CLASSES": THEIRS}), "teacher", OURS)
    found = [detections(model, names) for model, names in ((theirs, THEIRS), (ours, OURS))]
    assert [name for name, *_ in found[0]] == [name for name, *_ in found[1]]
    assert [row[1:] for row in found[0]] == [pytest.approx(row[1:], rel=1e-5) for row in found[1]]
    assert len({name for name, *_ in found[0]}) > 1


def detections(model: Any, classes: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Return (class, score, box) of what a detector finds in one image, the best first."""
    inputs = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    sample = DetDataSample(metainfo={"img_shape": (64, 96), "scale_factor": (1.0, 1.0), "ori_shape": (64, 96)})
    with torch.no_grad():
        [found] = model.predict(inputs, [sample])
    rows = found.pred_instances
    return [
        (classes[label], score, *box)
        for label, score, box in zip(rows.labels.tolist(), rows.scores.tolist(), rows.bboxes.tolist(), strict=True)
    ]


@pytest.mark.parametrize("head", ["gfl", "atss", "fcos", "retinanet", "yolox", "rtmdet", "tood", "vfnet"])
def test_the_tensors_of_classes_are_those_whose_shape_follows_from_their_number(head: str) -> None:
    few, more = (build_empty(Detector(config=str(config_of(head)), weights="random"), n) for n in (3, 4))
    shapes = {key: tensor.shape for key, tensor in few.state_dict().items()}
    differing = {key for key, tensor in more.state_dict().items() if tensor.shape != shapes[key]}
    assert set(class_tensors(few)) == differing


def test_the_same_order_changes_nothing(tmp_path: Path) -> None:
    theirs, ours = (woken(Path(CONFIG), seed) for seed in (1, 2))
    for names in (("cat", "dog", "cow"), ["cat", "dog", "cow"], None):
        meta = {} if names is None else {"CLASSES": names}
        coverage = load_weights(ours, saved(tmp_path / "w.pth", theirs, meta), "teacher", ("cat", "dog", "cow"))
        assert coverage.note == ""
        assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in ours.state_dict().items())


def test_a_checkpoint_of_other_classes_is_refused_whatever_coverage_says(tmp_path: Path) -> None:
    weights = saved(tmp_path / "w.pth", woken(Path(CONFIG), 1), {"dataset_meta": {"classes": ("apple", "dog", "cow")}})
    lax = weights.model_copy(update={"coverage": 0.01})
    with pytest.raises(TrialError, match=r"w\.pth: .*\(apple, dog, cow\), the dataset has \(cat, dog, cow\)"):
        load_weights(woken(Path(CONFIG), 2), lax, "teacher", ("cat", "dog", "cow"))


@pytest.mark.parametrize("lost", ["bbox_head.gfl_cls.weight", "bbox_head.gfl_cls.bias"])
def test_a_classifier_that_is_not_filled_is_refused_whatever_coverage_says(lost: str, tmp_path: Path) -> None:
    theirs, wider = woken(Path(CONFIG), 1), woken(Path(CONFIG), 1, 7)
    state = theirs.state_dict()
    for content in ({k: v for k, v in state.items() if k != lost}, {**state, lost: wider.state_dict()[lost]}):
        torch.save(content, tmp_path / "w.pth")
        with pytest.raises(
            TrialError, match=f"does not fill the classifier of the teacher .{lost}.*random at any coverage"
        ):
            load_weights(woken(Path(CONFIG), 2), Weights(path=str(tmp_path / "w.pth"), coverage=0.01), "teacher")


# ------------------------------------------------------------------------------------------------------- in training


def test_training_with_a_teacher_of_another_order_is_training_with_that_teacher(
    train_once: TrainOnce, tmp_path: Path
) -> None:
    own = trial(seed=5)
    taught = torch.load(train_once(own) / "best.pth", weights_only=True)
    names = taught["meta"]["dataset_meta"]["classes"]
    turned = [2, 0, 1]
    for key in ("bbox_head.gfl_cls.weight", "bbox_head.gfl_cls.bias"):
        taught["state_dict"][key] = taught["state_dict"][key][turned].clone()
    taught["meta"] = {"CLASSES": tuple(names[place] for place in turned), "epoch": 1}
    torch.save(taught, tmp_path / "turned.pth")
    ended = []
    for name, path in (("own", train_once(own) / "best.pth"), ("turned", tmp_path / "turned.pth")):
        teacher = Teacher(detector=own.student, weights=Weights(path=str(path)))
        train_alone(job(trial(teacher=teacher, method=Bckd(kind="bckd"), schedule=sgd()), tmp_path / name))
        ended.append(results(read_history(tmp_path / name)))
    assert ended[0] == ended[1]
    report = json.loads((tmp_path / "turned" / "weights.json").read_text())
    assert f"another order ({', '.join(names[place] for place in turned)})" in report["teacher"]["note"]
    assert not (tmp_path / "own" / "weights.json").exists()


def test_a_trial_that_only_evaluates_puts_its_checkpoint_into_the_datasets_order(
    train_once: TrainOnce, tmp_path: Path
) -> None:
    whole = torch.load(train_once(trial(seed=5)) / "best.pth", weights_only=True)
    names = whole["meta"]["dataset_meta"]["classes"]
    torch.save({"state_dict": whole["state_dict"], "meta": {"CLASSES": names[::-1]}}, tmp_path / "init.pth")
    spec = trial(init=Weights(path=str(tmp_path / "init.pth")), schedule=sgd(iterations=0))
    train_alone(job(spec, tmp_path / "out"))
    key = "bbox_head.gfl_cls.bias"
    assert torch.equal(state(tmp_path / "out" / "best.pth")[key], whole["state_dict"][key].flip(0))
    assert classes_in(tmp_path / "out" / "best.pth") == tuple(names)
    assert "another order" in json.loads((tmp_path / "out" / "weights.json").read_text())["init"]["note"]


# ----------------------------------------------------------------------------------------------------------- the names


class Unknown:
    """Stand for an object of a package that is not here, beside the names."""

    def __repr__(self) -> str:
        return "Unknown()"  # an address in a test's name would differ between the processes that share the tests


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("meta", "names"),
    [
        ({"CLASSES": ("cat", "dog")}, ("cat", "dog")),
        ({"CLASSES": ["cat", "dog"]}, ("cat", "dog")),
        ({"CLASSES": "cat"}, ("cat",)),
        ({"dataset_meta": {"classes": ("cat", "dog")}}, ("cat", "dog")),
        ({"dataset_meta": {"CLASSES": ["cat", "dog"]}, "CLASSES": None}, ("cat", "dog")),
        ({"dataset_meta": {"classes": ["cat"]}, "CLASSES": ["dog"]}, ("cat",)),
        ({"CLASSES": ["猫", "犬"], "log": Unknown()}, ("猫", "犬")),
        ({"CLASSES": None}, None),
        ({"CLASSES": [1, 2]}, None),
        ({"CLASSES": []}, None),
        (Unknown(), None),
        ({}, None),
    ],
    ids=str,
)
def test_names_are_read_as_data_with_and_without_torch(
    meta: Any, names: tuple[str, ...] | None, legacy: bool, tmp_path: Path
) -> None:
    weights = saved(tmp_path / "w.pth", torch.nn.Linear(2, 2), meta, legacy)
    assert classes_in(Path(weights.path)) == names
    assert read_weights(weights.path).classes == names


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02", b"PK\x03\x04"])
def test_what_is_no_checkpoint_names_no_classes(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    assert classes_in(tmp_path / "w.pth") is None
    assert classes_in(tmp_path / "absent.pth") is None
    assert named_classes([1]) is None


@pytest.mark.parametrize(
    ("theirs", "says"),
    [
        (("cat", "dog"), r"\(cat, dog\), the dataset has \(pig, cat, cow, dog\); it does not know pig, cow"),
        (("cat", "dog", "cow", "pig", "hen"), "must be equal"),
        (("cat", "dog", "cow", "cow"), "it does not know pig"),
        (("Cat", "dog", "cow", "pig"), "differ in spelling only .cat for Cat.: give them the same names"),
        (COCO80, r"\(person, bicycle, car, motorcycle, airplane, ...; 80\)"),
    ],
    ids=str,
)
def test_other_sets_are_refused_with_both_lists(theirs: tuple[str, ...], says: str) -> None:
    with pytest.raises(OtherClasses, match=says):
        class_order(theirs, OURS)


def test_coco_as_mmdet_1_spelled_it_is_coco() -> None:
    order = class_order(tuple(name.replace(" ", "_") for name in COCO80), COCO80)
    assert order is not None
    assert not order.differs
