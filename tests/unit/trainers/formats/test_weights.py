"""Prove that weights are loaded whole or refused with numbers, and that a hostile or damaged file does nothing."""

import contextlib
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from trainers.detectors.detector import build_student
from trainers.errors import TrialError
from trainers.formats.weights import inherit, load_state, load_weights, read_checkpoint, read_state_dict, read_weights
from trainers.schema import Detector, Weights


def model() -> nn.Sequential:
    """Make six tensors."""
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, track_running_stats=False), nn.Linear(3, 4))


def saved(path: Path, content: Any) -> Weights:
    torch.save(content, path)
    return Weights(path=str(path))


# -------------------------------------------------------------------------------------------------------- coverage


def test_coverage_names_what_is_missing_misshapen_and_unused() -> None:
    own = model()
    state = model().state_dict()
    before = {name: value.clone() for name, value in own.state_dict().items()}
    del state["0.bias"]
    state["2.weight"] = torch.ones(5, 3)
    state["head.weight"] = torch.ones(1)
    coverage = load_state(own, state)
    assert coverage.total == 6
    assert (coverage.missing, coverage.unused) == (("0.bias",), ("head.weight",))
    assert coverage.misshapen == (("2.weight", (4, 3), (5, 3)),)
    assert coverage.share == pytest.approx(4 / 6)
    after = own.state_dict()
    for name, old in before.items():
        kept = name in ("0.bias", "2.weight")
        assert torch.equal(after[name], old if kept else state[name])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_loaded_weights_that_are_no_numbers_are_refused(value: float, tmp_path: Path) -> None:
    model = nn.Linear(2, 2)
    broken = torch.tensor([0.0, value])
    torch.save({"state_dict": {**model.state_dict(), "ema_bias": broken}}, tmp_path / "weights.pth")
    assert load_weights(model, Weights(path=str(tmp_path / "weights.pth")), "teacher").unused == ("ema_bias",)
    state = {**model.state_dict(), "bias": broken}
    torch.save({"state_dict": state}, tmp_path / "weights.pth")
    with pytest.raises(TrialError, match=r"NaN or infinity in 1 of 2 tensors \(bias\): its training diverged"):
        load_weights(model, Weights(path=str(tmp_path / "weights.pth"), coverage=0.1), "teacher")


def test_whole_weights_are_loaded_whole(tmp_path: Path) -> None:
    source, target = model(), model()
    for content in (source.state_dict(), {"state_dict": source.state_dict(), "meta": {"epoch": 3}}):
        target.apply(lambda module: module.reset_parameters() if hasattr(module, "reset_parameters") else None)
        coverage = load_weights(target, saved(tmp_path / "w.pth", content), "student")
        assert (coverage.share, coverage.unused) == (1.0, ())
        assert all(torch.equal(value, target.state_dict()[name]) for name, value in source.state_dict().items())


def test_too_little_coverage_is_refused_with_its_numbers(tmp_path: Path) -> None:
    state = model().state_dict()
    del state["0.bias"]
    state["1.bias"] = torch.ones(7)
    weights = saved(tmp_path / "w.pth", state)
    with pytest.raises(TrialError) as caught:
        load_weights(model(), weights, "student")
    for part in (
        str(weights.path),
        "student",
        "66.7% of 6",
        "missing: 1 (0.bias)",
        "other shape: 1 (1.bias (3,) here, (7,) in the checkpoint)",
        "100.0%",
    ):
        assert part in str(caught.value)
    enough = weights.model_copy(update={"coverage": 0.6})
    assert load_weights(model(), enough, "student").share == pytest.approx(4 / 6)


# ------------------------------------------------------------------------------------------------- files of strangers


class Hostile:
    """Write a file when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.write_text, (self.target, "executed")


@pytest.mark.parametrize("how", ["zip", "legacy"])
def test_code_in_a_checkpoint_is_not_executed_and_its_weights_are_read(how: str, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "hostile.pth"
    content: dict[str, Any] = {"state_dict": model().state_dict(), "meta": Hostile(trace)}
    torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    state = read_state_dict(path)
    assert state.keys() == content["state_dict"].keys()
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.read_text() == "executed"  # the file is what it seems


def test_a_pickle_that_is_no_checkpoint_is_not_executed(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "hostile.pth"
    path.write_bytes(pickle.dumps({"meta": Hostile(trace)}, protocol=2))
    with pytest.raises(TrialError, match=r"is damaged, or is no checkpoint"):
        read_state_dict(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.read_text() == "executed"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n<!DOCTYPE html>\n<title>404</title>", "is an HTML page, not a checkpoint: download the file itself"),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
            "is a Git LFS pointer, not a checkpoint: fetch the file itself with git lfs pull",
        ),
    ],
)
def test_a_text_in_place_of_a_checkpoint_is_told_as_such(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    path.write_text(text)
    with pytest.raises(TrialError) as caught:
        read_checkpoint(path)
    assert str(caught.value) == f"checkpoint {path} {told}"


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"\x80\x02}q"),
        lambda path: path.write_text("hello world"),
    ],
    ids=["pickle", "text"],
)
def test_a_file_that_is_no_checkpoint_is_told_in_one_sentence(make: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    make(path)
    with pytest.raises(TrialError, match=r"file\.pth is damaged, or is no checkpoint") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert "weights_only" not in str(caught.value)  # torch's way out would execute the file


@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_that_is_cut_short_is_told_in_our_words(legacy: bool, tmp_path: Path) -> None:
    path = tmp_path / "student.pth"
    torch.save({"state_dict": model().state_dict()}, path, _use_new_zipfile_serialization=not legacy)
    whole = path.read_bytes()
    for length in {*range(0, len(whole), 97), 1, 4, len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(TrialError) as caught:
            read_checkpoint(path)
        said = str(caught.value).removeprefix(f"checkpoint {path} ")
        if length == 0:
            assert said == "is empty"
        elif legacy or length < 4:
            assert said.startswith("is damaged, or is no checkpoint")
        else:
            assert said == "is cut short: the list of contents at its end is missing; copy it again"
        assert not any(word in said for word in ("Error", "codec", "stringnl", "Refused"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=r"cannot read checkpoint .*absent\.pth: No such file"):
        read_checkpoint(tmp_path / "absent.pth")
    with pytest.raises(TrialError, match="is a folder, not a file"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(1)], "holds list, not a dictionary"),
        (torch.ones(1), "holds Tensor, not a dictionary"),
        ({"epoch": 1}, "holds no weights"),
        ({"state_dict": {}}, "holds no weights"),
        ({"state_dict": [1]}, "holds no weights"),
        ({1: torch.ones(1)}, "holds no weights"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrialError, match=message):
        read_state_dict(saved(tmp_path / "w.pth", content).path)


def _bytes_of(zipped: bool) -> bytes:
    stream = io.BytesIO()
    torch.save({"state_dict": model().state_dict()}, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


ZIPPED, LEGACY = _bytes_of(True), _bytes_of(False)
changes = st.lists(st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.integers(0, 255)), max_size=4)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "file.pth"


@pytest.mark.filterwarnings("ignore:Detected pickle protocol:UserWarning")
@given(whole=st.sampled_from([ZIPPED, LEGACY]), edits=changes, kept=st.floats(0.0, 1.0))
def test_damage_anywhere_is_a_trial_error_or_harmless(
    scratch: Path, whole: bytes, edits: list[tuple[float, int]], kept: float
) -> None:
    damaged = bytearray(whole)
    for place, value in edits:
        damaged[int(place * len(damaged))] = value
    scratch.write_bytes(damaged if edits else damaged[: int(kept * len(damaged))])
    with contextlib.suppress(TrialError):
        assert all(isinstance(value, torch.Tensor) for value in read_state_dict(scratch).values())


# --------------------------------------------------------------------------------------------------------- layouts


def ones(*names: str, value: float = 1.0) -> dict[str, torch.Tensor]:
    return {name: torch.full((2,), value) for name in names}


@pytest.mark.parametrize(
    "content",
    [
        ones("a", "b.c"),
        {
            "meta": {"epoch": 1},
            "state_dict": ones("a", "b.c"),
            "optimizer": {"state": {0: {"momentum_buffer": torch.ones(1)}}},
        },
        {"state_dict": ones("module.a", "module.b.c")},
        {"model": ones("a", "b.c")},
        {"model": ones("module.a", "module.b.c"), "epoch": 300},
        {"state_dict": ones("a", "b.c"), "ema_state_dict": ones("module.a", "module.b.c", value=5.0)},
        {"state_dict": {**ones("a", "b.c"), "epoch": 3}},
    ],
    ids=["plain", "mmdet-2", "parallel", "swin", "swin-parallel", "mmengine-ema", "number-among-weights"],
)
def test_weights_are_found_in_each_layout(content: Any, tmp_path: Path) -> None:
    found = read_weights(saved(tmp_path / "w.pth", content).path)
    assert found.note == ""
    assert found.state.keys() == {"a", "b.c"}
    assert all(torch.equal(value, torch.ones(2)) for value in found.state.values())


@pytest.mark.parametrize("student", ["architecture.", "architecture.model.", "student.", "module.architecture."])
def test_the_student_is_taken_from_a_distillers_checkpoint_and_that_is_said(student: str, tmp_path: Path) -> None:
    outer = "module." if student.startswith("module.") else ""
    teacher = ones(f"{outer}teacher.a", f"{outer}teacher.b.c", f"{outer}teacher.d", value=7.0)
    content = {"state_dict": {**ones(f"{student}a", f"{student}b.c"), **teacher}}
    found = read_weights(saved(tmp_path / "w.pth", content).path)
    assert found.state.keys() == {"a", "b.c"}
    assert all(torch.equal(value, torch.ones(2)) for value in found.state.values())
    assert found.note == (
        f"the student of a distiller's checkpoint: {student.removeprefix('module.')}*, without the 3 tensors beside it"
    )


def test_a_loaded_distillers_checkpoint_is_told_in_the_coverage(tmp_path: Path) -> None:
    state = {f"architecture.{key}": value for key, value in model().state_dict().items()} | ones("teacher.x")
    coverage = load_weights(model(), saved(tmp_path / "w.pth", {"state_dict": state}), "student")
    assert coverage.share == 1.0
    assert coverage.describe() == (
        "100.0% of 6 tensors loaded; the student of a distiller's checkpoint: architecture.*, "
        "without the 1 tensors beside it"
    )


def test_averaged_weights_of_mmdet_2_are_unused_and_named(tmp_path: Path) -> None:
    """Mmdet 2.x saves with the averages swapped into the plain names; what ``ema_`` holds are the raw weights."""
    state = model().state_dict() | ones("ema_0_weight")
    coverage = load_weights(model(), saved(tmp_path / "w.pth", {"state_dict": state}), "student")
    assert (coverage.share, coverage.unused) == (1.0, ("ema_0_weight",))


# --------------------------------------------------------------------------------------------------------- inheriting


def gfl(depth: int, width: float = 0.125, seed: int = 0) -> nn.Module:
    config = "mmdet::gfl/gfl_r50_fpn_1x_coco.py"
    detector = Detector(config=config, backbone_depth=depth, width=width, weights="random")  # type: ignore[arg-type]
    built: nn.Module = build_student(detector, 3, seed)
    return built


def test_a_student_inherits_neck_and_head_and_keeps_its_backbone() -> None:
    teacher, student = gfl(101, seed=1), gfl(50, seed=2)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    coverage = inherit(student, teacher)
    after, theirs = student.state_dict(), teacher.state_dict()
    outside = [key for key in after if not key.startswith("backbone.")]
    assert (coverage.total, coverage.share, coverage.missing, coverage.unused) == (len(outside), 1.0, (), ())
    assert any(not torch.equal(before[key], after[key]) for key in outside)
    for key, value in after.items():
        assert torch.equal(value, before[key] if key.startswith("backbone.") else theirs[key])


def test_laterals_of_another_width_are_named_with_both_shapes_and_stay() -> None:
    teacher, student = gfl(50, seed=1), gfl(18, seed=2)
    before = {key: value.clone() for key, value in student.state_dict().items()}
    coverage = inherit(student, teacher)
    laterals = [f"neck.lateral_convs.{level}.conv.weight" for level in range(3)]
    assert [odd.key for odd in coverage.misshapen] == laterals
    assert "neck.lateral_convs.0.conv.weight (32, 16, 1, 1) here, (32, 64, 1, 1) in the teacher" in coverage.describe()
    assert coverage.share == pytest.approx(1 - 3 / coverage.total)
    after, theirs = student.state_dict(), teacher.state_dict()
    for key in laterals:
        assert torch.equal(after[key], before[key])
    for key in ("neck.lateral_convs.0.conv.bias", "neck.fpn_convs.0.conv.weight", "bbox_head.gfl_reg.weight"):
        assert torch.equal(after[key], theirs[key])


def test_an_inheriting_student_owns_its_weights() -> None:
    teacher, student = gfl(18, seed=1), gfl(18, seed=2)
    inherit(student, teacher)
    with torch.no_grad():
        student.state_dict()["bbox_head.gfl_cls.bias"].fill_(9.0)
    assert not torch.equal(
        teacher.state_dict()["bbox_head.gfl_cls.bias"], student.state_dict()["bbox_head.gfl_cls.bias"]
    )
