"""``export`` passes on what was asked for and says how to use it; ``verify`` fails where one check does."""

import argparse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.commands.verify import points
from orchestrator.reports import mmdet_export, onnx_export, verification
from orchestrator.reports.onnx_export import OnnxFiles
from orchestrator.reports.verification import Check
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.study_text import VALID, write

Stillhouse = Callable[..., Answer]
FINE, WRONG = Check("files", True, "2 files"), Check("card", False, "was edited")


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Stillhouse:
    return runner(capsys)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stand for both exports, and note what they are asked for."""
    found: list[Any] = []

    def onnx(plan: Any, store: Any, trial: str, folder: Path, **options: Any) -> OnnxFiles:
        found.append(("onnx", plan.study.name, store.root, trial, folder, options))
        return OnnxFiles("0123456789ab", folder / "student.onnx", folder / "detect.py")

    def mmdet(plan: Any, store: Any, trial: str, folder: Path, **options: Any) -> Any:
        found.append(("mmdet", plan.study.name, store.root, trial, folder, options))
        files = {name: folder / name for name in ("config.py", "student.pth", "README.md", "provenance.json")}
        return SimpleNamespace(
            trial_id="0123456789ab", config=files["config.py"], checkpoint=files["student.pth"], card=files["README.md"],
            papers=files["provenance.json"], annotations={"val": folder / "val.json"}, notes=("is odd",),
        )  # fmt: skip

    monkeypatch.setattr(onnx_export, "export_onnx", onnx)
    monkeypatch.setattr(mmdet_export, "export_student", mmdet)
    return found


def test_an_onnx_export_gets_plan_store_trial_and_folder(
    asked: list[Any], stillhouse: Stillhouse, tmp_path: Path
) -> None:
    study, out = write(tmp_path, VALID), tmp_path / "out"
    words = ("export", study, "--store", tmp_path / "store", "--to", out, "--format", "onnx")
    answer = stillhouse(*words, "--json")
    assert (answer.code, answer.json) == (
        0,
        {"trial": "0123456789ab", "model": str(out / "student.onnx"), "reader": str(out / "detect.py")},
    )
    assert stillhouse(*words, "--trial", "3f2a", "--force").out.splitlines() == [
        f"trial 0123456789ab: {out / 'student.onnx'} and {out / 'detect.py'}",
        f"use: python {out / 'detect.py'} IMAGE",
    ]
    place = ("onnx", "demo", tmp_path / "store")
    assert asked == [(*place, "best", out, {"replace": False}), (*place, "3f2a", out, {"replace": True})]


def test_an_mmdet_export_also_gets_the_words_of_its_study_and_lists_its_files(
    asked: list[Any], stillhouse: Stillhouse, tmp_path: Path
) -> None:
    study, out = write(tmp_path, VALID), tmp_path / "out"
    changes = ("--set", "search.seeds=[7]", "--random-weights", "--trust-config")
    answer = stillhouse("export", study, *changes, "--store", tmp_path / "store", "--to", out)
    assert answer.out.splitlines() == [
        f"trial 0123456789ab: {out / 'config.py'} and {out / 'student.pth'}",
        f"      {out / 'val.json'}",
        f"      {out / 'README.md'}",
        f"      {out / 'provenance.json'}",
        "note: is odd",
        f"use: mmdet.apis.DetInferencer('{out / 'config.py'}', '{out / 'student.pth'}', device='cpu')",
    ]
    options = {"replace": False, "words": [str(study), *changes]}
    assert asked == [("mmdet", "demo", tmp_path / "store", "best", out, options)]


@pytest.mark.parametrize(
    ("checks", "code"),
    [([FINE], 0), ([FINE, WRONG], 1), ([WRONG, FINE], 1), ([WRONG], 1)],
    ids=["fine", "last", "first", "all"],
)
def test_verify_fails_where_one_check_fails(
    checks: list[Check], code: int, stillhouse: Stillhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        verification, "check_folder", lambda folder: [check for check in checks if str(folder) == "out"]
    )
    answer = stillhouse("verify", "out")
    lines = {FINE: "files      ok  2 files", WRONG: "card       NO  was edited"}
    assert (answer.code, answer.out.splitlines()) == (code, [lines[check] for check in checks])
    found = {check.name: {"passed": check.passed, "answer": check.answer} for check in checks}
    assert stillhouse("verify", "out", "--json").json == found


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--retrain",), "--retrain trains the study again: name it, stillhouse verify DIR STUDY --retrain"),
        (("--within", "1"), "--within compares with a student that is trained again: add --retrain"),
        (("study.yaml", "--within", "0"), "--within compares with a student that is trained again: add --retrain"),
    ],
)
def test_options_that_need_others_are_refused(options: tuple[str, ...], says: str, stillhouse: Stillhouse) -> None:
    answer = stillhouse("verify", "out", *options)
    assert (answer.code, says in answer.err) == (2, True)


def test_points_of_ap_are_from_none_to_a_hundred() -> None:
    assert [points(text) for text in ("0", "0.5", "100")] == [0.0, 0.5, 100.0]
    for text in ("-0.1", "100.1", "nan", "x"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"must be from 0 to 100 points of AP, got {text}"):
            points(text)
