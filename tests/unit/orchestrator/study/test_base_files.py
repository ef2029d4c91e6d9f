"""Any text that a study gives as a path is there, or is not, without an error of the file system."""

import os
from pathlib import Path

import pytest

from orchestrator.study.inherit import absent, is_file
from tests.unit.orchestrator.study_text import findings_of, write


def test_only_a_file_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").touch()
    os.mkfifo(tmp_path / "pipe")
    assert is_file(tmp_path / "a.yaml")
    assert [is_file(tmp_path / name) for name in ("b.yaml", "", "pipe", "a.yaml/b.yaml")] == [False] * 4


@pytest.mark.parametrize("name", ["a" * 300, "b/" * 3000, "a\0b"], ids=["long name", "long path", "NUL"])
def test_a_name_that_no_file_can_have_is_absent(name: str, tmp_path: Path) -> None:
    assert not is_file(tmp_path / name)
    assert absent(tmp_path / name, "base.yaml") == "no such file: base.yaml"


def test_a_base_with_such_a_name_is_one_finding_at_its_line(tmp_path: Path) -> None:
    name = "a" * 300 + ".yaml"
    found = findings_of(write(tmp_path, f"name: demo\nbase: {name}\n"))
    assert found == [("error", "study.yaml:2: base", f"no such file: {name}")]


def test_what_is_there_and_no_file_is_named(tmp_path: Path) -> None:
    assert absent(tmp_path) == f"a folder, not a file: {tmp_path}"
    os.mkfifo(tmp_path / "pipe")
    assert absent(tmp_path / "pipe", "it").endswith(": it")
