"""A detector starts from another one of other classes: all tensors but those of classes, and of these rows by name."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from tests.unit.trainers.tiny import CONFIG, differing
from tests.unit.trainers.tiny_heads import config_of, woken
from trainers.detectors.starting import start_detector
from trainers.errors import TrialError
from trainers.formats.class_layout import ClassLayout, class_layouts
from trainers.formats.starting import StartReport, load_start
from trainers.schema import Detector
from trainers.schema.class_names import COCO80
from trainers.schema.detector import CheckpointWeights

THEIRS, OURS = ("cat", "dog", "person", "cow", "pig"), ("wheel", "person", "cat")
HEADS = ["gfl", "atss", "fcos", "fcos_normed", "retinanet", "yolox", "rtmdet", "tood", "vfnet"]
SOFTMAX = {"bbox_head": {"loss_cls": {"_delete_": True, "type": "CrossEntropyLoss", "use_sigmoid": False}}}
State = dict[str, Tensor]


def saved(path: Path, state: State, classes: tuple[str, ...] | None, style: str = "3.x") -> CheckpointWeights:
    """Write a checkpoint as mmdet 3.x or 2.x does, with the names of its classes."""
    meta: dict[str, Any] = {"epoch": 12}
    if classes is not None:
        meta |= {"dataset_meta": {"classes": classes, "palette": None}} if style == "3.x" else {"CLASSES": classes}
    torch.save({"meta": meta, "state_dict": state}, path)
    return CheckpointWeights(kind="checkpoint", path=str(path))


def started(model: nn.Module, config: Path | str, weights: CheckpointWeights, classes: Any = OURS) -> StartReport:
    init_default_scope("mmdet")
    found = start_detector(model, Detector(config=str(config), weights=weights), classes)
    assert found is not None
    return found


def copied(model: nn.Module) -> State:
    return {key: value.clone() for key, value in model.state_dict().items()}


def logits(model: Any, classes: tuple[str, ...]) -> dict[str, list[Tensor]]:
    """Return the classification logits of random features by the class's name, a list over levels (images, anchors, ...)."""
    inputs = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        levels = model.double().eval().bbox_head(model.extract_feat(inputs))[0]
    outputs = model.bbox_head.cls_out_channels
    names = (*classes, "background")[:outputs]
    by_anchor = [level.reshape(2, -1, outputs, *level.shape[2:]) for level in levels]
    return {name: [level[:, :, place] for level in by_anchor] for place, name in enumerate(names)}


@pytest.mark.parametrize("style", ["3.x", "2.x"])
@pytest.mark.parametrize("head", [*HEADS, "softmax"])
def test_shared_classes_answer_as_before_and_others_as_a_new_detector(head: str, style: str, tmp_path: Path) -> None:
    config = config_of("retinanet" if head == "softmax" else head)
    if head == "softmax":
        (tmp_path / "softmax.py").write_text(f"_base_ = {str(config)!r}\nmodel = {SOFTMAX!r}\n")
        config = tmp_path / "softmax.py"
    theirs, ours = woken(config, 1, len(THEIRS)), woken(config, 2, len(OURS))
    fresh = copied(ours)
    report = started(ours, config, saved(tmp_path / "w.pth", theirs.state_dict(), THEIRS, style))
    taken = theirs.state_dict()
    shaped = {key for key, value in fresh.items() if value.shape != taken[key].shape}
    assert set(report.rows) == shaped
    assert report.fresh == {}
    assert report.taken == ("person", "cat")
    for key, value in ours.state_dict().items():
        assert torch.equal(value, taken[key]) == (key not in shaped)
    before, after = logits(theirs, THEIRS), logits(ours, OURS)
    for name in ("person", "cat", *(["background"] if head == "softmax" else [])):
        for there, here in zip(before[name], after[name], strict=True):
            torch.testing.assert_close(here, there, rtol=1e-11, atol=1e-11)
    alone = woken(config, 2, len(OURS))
    alone.load_state_dict({key: fresh[key] if key in shaped else value for key, value in taken.items()})
    for there, here in zip(logits(alone, OURS)["wheel"], after["wheel"], strict=True):
        torch.testing.assert_close(here, there, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    ("classes", "ours", "reason"),
    [
        (None, OURS, "names no classes"),
        (("a", "b", "c", "d", "e"), OURS, "no class of the dataset"),
        (("person", "b", "c", "d"), OURS, "does not go with its 4 classes"),
        (None, ("x", "y", "z", "u", "v"), "names no classes"),
        (("Person", "b", "c", "d", "e"), OURS, "no class of the dataset"),
    ],
)
def test_without_a_common_name_the_classifier_keeps_its_initial_values(
    classes: tuple[str, ...] | None, ours: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    theirs, model = woken(Path(CONFIG), 1, 5), woken(Path(CONFIG), 2, len(ours))
    fresh, names = copied(model), {"bbox_head.gfl_cls.weight", "bbox_head.gfl_cls.bias"}
    report = started(model, CONFIG, saved(tmp_path / "w.pth", theirs.state_dict(), classes), ours)
    assert set(report.fresh) == names
    assert all(reason in why for why in report.fresh.values())
    assert (report.rows, report.taken) == ((), ())
    kept = {key: value for key, value in model.state_dict().items() if torch.equal(value, fresh[key])}
    assert names <= set(kept)
    assert reason in report.describe()
    assert {"bbox_head.gfl_cls.weight"} <= set(differing(model.state_dict(), theirs.state_dict())) <= names


def test_equal_classes_are_taken_whole_in_any_order(tmp_path: Path) -> None:
    theirs, ours = woken(Path(CONFIG), 1), woken(Path(CONFIG), 2)
    report = started(ours, CONFIG, saved(tmp_path / "w.pth", theirs.state_dict(), ("a", "b", "c")), ("c", "a", "b"))
    assert report.taken == ("c", "a", "b")
    bias = "bbox_head.gfl_cls.bias"
    assert torch.equal(ours.state_dict()[bias], theirs.state_dict()[bias][[2, 0, 1]])
    assert "start fresh" not in report.describe()


def test_mmdet_1_and_its_names_are_read(tmp_path: Path) -> None:
    theirs, ours = woken(Path(CONFIG), 1, 80), woken(Path(CONFIG), 2, 1)
    underscored = tuple(name.replace(" ", "_") for name in COCO80)
    report = started(
        ours, CONFIG, saved(tmp_path / "w.pth", theirs.state_dict(), underscored, "2.x"), ("traffic light",)
    )
    assert report.taken == ("traffic light",)


def test_renamed_tensors_of_older_versions_find_their_rows(tmp_path: Path) -> None:
    config = config_of("fcos")
    theirs, ours = woken(config, 1, len(THEIRS)), woken(config, 2, len(OURS))
    old = {key.replace("bbox_head.conv_", "bbox_head.fcos_"): value for key, value in theirs.state_dict().items()}
    assert "bbox_head.fcos_cls.bias" in old
    report = started(ours, config, saved(tmp_path / "w.pth", old, THEIRS))
    bias = "bbox_head.conv_cls.bias"
    assert bias in report.rows
    assert torch.equal(ours.state_dict()[bias][1], theirs.state_dict()[bias][2])


# ------------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda state: state.pop("neck.fpn_convs.0.conv.weight"), r"1 of \d+ tensors .*neck.fpn_convs.0.conv.weight"),
        (
            lambda state: state.update({"bbox_head.gfl_reg.weight": torch.ones(2, 2)}),
            r"gfl_reg.weight .* here, \(2, 2\)",
        ),
        (lambda state: state.update({"backbone.layer9.weight": torch.ones(1)}), r"1 tensors of its backbone.*layer9"),
        (lambda state: state.update({"backbone.bn1.bias": state["backbone.bn1.bias"] * torch.nan}), "holds NaN"),
    ],
    ids=["missing", "shape", "deeper", "nan"],
)
def test_a_checkpoint_of_another_architecture_is_refused(edit: Any, says: str, tmp_path: Path) -> None:
    state = copied(woken(Path(CONFIG), 1, len(THEIRS)))
    edit(state)
    with pytest.raises(TrialError, match=says):
        started(woken(Path(CONFIG), 2), CONFIG, saved(tmp_path / "w.pth", state, THEIRS))


def test_other_heads_and_files_without_weights_are_refused(tmp_path: Path) -> None:
    atss = saved(tmp_path / "atss.pth", woken(config_of("atss"), 1).state_dict(), OURS)
    with pytest.raises(TrialError, match=r"atss\.pth is of another architecture .*bbox_head\.gfl_reg"):
        started(woken(Path(CONFIG), 2), CONFIG, atss)
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(TrialError, match=r"empty\.pth is empty"):
        started(woken(Path(CONFIG), 2), CONFIG, CheckpointWeights(kind="checkpoint", path=str(tmp_path / "empty.pth")))


def test_counters_that_old_files_lack_and_tensors_beside_the_model_do_no_harm(tmp_path: Path) -> None:
    state = {k: v for k, v in woken(Path(CONFIG), 1, 5).state_dict().items() if not k.endswith("num_batches_tracked")}
    extra = {"roi_head.mask_head.conv.weight": torch.ones(1)}
    report = started(woken(Path(CONFIG), 2), CONFIG, saved(tmp_path / "w.pth", state | extra, THEIRS))
    assert report.unused == tuple(extra)
    assert "1 of the file are not used (roi_head.mask_head.conv.weight)" in report.describe()


# ------------------------------------------------------------------------------------------------------ rows by shapes


class TwoStage(nn.Module):
    """Stand for mmdet's second stage: scores with the background last, four numbers of a box for each class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.fc_cls, self.fc_reg = nn.Linear(2, classes + 1), nn.Linear(2, 4 * classes)
        self.shared = nn.Linear(2, 2)
        self.yolo = nn.Linear(2, 3 * (5 + classes))
        self.mixed = nn.Linear(classes, 2)


def shapes(classes: int) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in TwoStage(classes).state_dict().items()}


def test_rows_of_second_stages_are_told_by_their_shapes(tmp_path: Path) -> None:
    layouts = class_layouts(shapes(3), shapes(4), 3)
    assert layouts == {
        "fc_cls.weight": ClassLayout(1, True),
        "fc_cls.bias": ClassLayout(1, True),
        "fc_reg.weight": ClassLayout(4, False, by_class=True),
        "fc_reg.bias": ClassLayout(4, False, by_class=True),
        "yolo.weight": None,
        "yolo.bias": None,
        "mixed.weight": None,
    }
    theirs, ours = TwoStage(5), TwoStage(3)
    nn.init.zeros_(ours.yolo.bias)
    with torch.no_grad():
        theirs.fc_cls.bias.copy_(torch.arange(6.0))
        theirs.fc_reg.bias.copy_(torch.arange(20.0))
        ours.fc_cls.bias.fill_(-1.0)
        ours.fc_reg.bias.fill_(-1.0)
    report = load_start(ours, saved(tmp_path / "w.pth", theirs.state_dict(), THEIRS), layouts, OURS)
    assert ours.fc_cls.bias.tolist() == [-1.0, 2.0, 0.0, 5.0]
    assert ours.fc_reg.bias.tolist() == [-1.0] * 4 + [8.0, 9.0, 10.0, 11.0] + [0.0, 1.0, 2.0, 3.0]
    assert torch.equal(ours.shared.weight, theirs.shared.weight)
    assert set(report.fresh) == {"yolo.weight", "yolo.bias", "mixed.weight"}
    assert ours.yolo.bias.abs().max() == 0
