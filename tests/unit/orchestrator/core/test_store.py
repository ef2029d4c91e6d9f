"""A store's path is taken as it stands, or refused before anything is written beside it."""

import os
from pathlib import Path

import pytest

from orchestrator.core.errors import UserError
from orchestrator.core.store import Store
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.study_text import VALID


@pytest.mark.parametrize("name", ["runs?1", "runs%3F1", "a%20b", "line\nbreak", os.fsdecode(b"l\xe4ufe")])
def test_a_path_that_mlflow_reads_as_another_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="give another --store"):
        Store(tmp_path / name)
    with pytest.raises(UserError):
        Store(tmp_path / name / "inner")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["runs", "läufe 红", "runs#1", "100%", "50% x", "a;b&c", "a'b", "a+b", "[1]"])
def test_other_paths_are_taken(tmp_path, name):
    assert Store(tmp_path / name).root == tmp_path / name


@pytest.mark.parametrize("command", ["plan", "run", "compare", "sync", "report", "export"])
def test_every_command_refuses_it_in_one_sentence(tmp_path: Path, capsys, command):
    (tmp_path / "study.yaml").write_text(VALID)
    more = ["--to", tmp_path / "out"] if command == "export" else []
    answer = runner(capsys)(command, tmp_path / "study.yaml", "--store", tmp_path / "runs?1", *more)
    assert (answer.code, answer.out, len(answer.complaints)) == (2, "", 1)
    assert "has '?' in its path" in answer.err
    assert [path.name for path in tmp_path.iterdir()] == ["study.yaml"]
