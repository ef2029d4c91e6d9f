"""Detectors that cannot be trained are refused by ``plan`` and ``run`` before anything starts, each in one sentence."""

from pathlib import Path

import pytest

from tests.e2e.conftest import TINY
from tests.e2e.stillhouse import Answer, stillhouse

DETECTOR = Path(__file__).parents[1] / "unit" / "trainers" / "tiny_gfl.py"
STUDENT = 'student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}'
CRASH = "custom_imports = dict(imports=['crashing'])\n"


def study(folder: Path, name: str, tail: str) -> Path:
    (folder / name).write_text(f"_base_ = {str(DETECTOR)!r}\n{tail}")
    assert STUDENT in TINY
    path = folder / f"{name}.yaml"
    path.write_text(TINY.replace(STUDENT, f"student: {{config: {name}, weights: random}}"))
    return path


def command(name: str, path: Path, **variables: str) -> Answer:
    store, cache = path.parent / "store", str(path.parent / "cache")
    return stillhouse(name, path, "--trust-config", "--store", store, STILLHOUSE_CACHE=cache, **variables)


@pytest.mark.parametrize("name", ["plan", "run"])
def test_a_student_that_the_method_cannot_teach_is_refused_before_its_teacher_is_trained(
    name: str, tmp_path: Path
) -> None:
    path = study(tmp_path, "small.py", "")
    answer = command(name, path)
    line = path.read_text().splitlines().index("method: {kind: bckd}") + 1
    assert answer.code == 2
    said = [one for one in (answer.out + answer.err).splitlines() if one.startswith(str(path))]
    theirs, own = "[(8, 8), (16, 16), (32, 32), (64, 64), (128, 128)]", "[(8, 8), (16, 16), (32, 32)]"
    message = f"bckd needs equal strides: the teacher's are {theirs}, the student's {own}"
    assert said == [f"{path}:{line}: method.kind: {message}"]
    assert "Traceback" not in answer.out + answer.err
    assert not (tmp_path / "store").exists()


def test_a_config_that_ends_the_process_ends_only_that_process(tmp_path: Path) -> None:
    (tmp_path / "crashing.py").write_text("import os\nos.abort()\n")
    path = study(tmp_path, "crash.py", CRASH)
    answer = command("plan", path, PYTHONPATH=f"{Path(__file__).parents[2]}:{tmp_path}")
    assert answer.code == 2
    assert "student: building it ended the process that did so (SIGABRT)" in answer.out
    assert answer.out.startswith("tiny  ")


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        ("import nobodys_package\n", "imports nobodys_package, which is not there"),
        (
            "custom_imports = dict(imports=['nobodys_package'])\n",
            "imports nobodys_package (custom_imports), which is not",
        ),
        ("custom_imports = dict(imports=['failing'])\n", "Failed to import failing: ImportError: it was compiled for"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_once(tail: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text("raise ImportError('it was compiled for another Python')\n")
    path = study(tmp_path, "own.py", tail)
    answer = command("plan", path, PYTHONPATH=f"{Path(__file__).parents[2]}:{tmp_path}")
    said = [one for one in answer.out.splitlines() if one.startswith(str(tmp_path)) and ": note: " not in one]
    assert answer.code == 2
    assert [line in one for one in said] == [True], answer.out + answer.err
