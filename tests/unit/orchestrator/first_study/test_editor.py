"""The first line of a study that ``init`` writes leads an editor from there to the installed schema."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from jsonschema import Draft7Validator

from orchestrator.cli import main
from orchestrator.first_study import editor
from orchestrator.first_study.editor import editor_line
from orchestrator.study.document import read_file
from orchestrator.study.json_schema import shipped_schema
from tests.unit.orchestrator.first_study.layouts import LAYOUTS

MODELINE = re.compile(r"# yaml-language-server: (\$schema=(\S+))")


def found_by_an_editor(study: Path) -> Path:
    """Return the file that the YAML language server reads for ``study``: the rest of the word, by the rules for URIs."""
    match = MODELINE.fullmatch(study.read_text(encoding="utf-8").splitlines()[0])
    assert match
    if match[2].startswith("file:"):
        return Path(unquote(urlsplit(match[2]).path))
    return study.parent / match[2]


@pytest.mark.parametrize("folder", ["plain", "my photos #1", "größe"])
def test_what_init_writes_names_a_schema_that_takes_it(tmp_path, monkeypatch, capsys, folder):
    name = next(iter(LAYOUTS))
    (tmp_path / folder).mkdir()
    LAYOUTS[name][0](tmp_path / folder / "parts")
    monkeypatch.chdir(tmp_path / folder)
    assert main(["init", "parts"]) == 0
    study = (tmp_path / folder / "study.yaml").resolve()
    schema = found_by_an_editor(study)
    assert schema.samefile(shipped_schema())
    validator = Draft7Validator(json.loads(schema.read_text(encoding="utf-8")))
    assert list(validator.iter_errors(read_file(study, "study.yaml").data)) == []


@pytest.mark.parametrize(
    ("installed", "inner"),
    [
        (".venv/lib/study.json", True),
        ("my env/study.json", False),
        ("../elsewhere/study.json", False),
        ("a#b/s.json", False),
    ],
)
def test_an_environment_in_the_project_moves_with_it(tmp_path, monkeypatch, installed, inner):
    project = tmp_path / "project"
    project.mkdir()
    schema = project / installed
    schema.parent.mkdir(parents=True, exist_ok=True)
    schema.touch()
    monkeypatch.setattr(editor, "shipped_schema", lambda: schema)
    study = project / "study.yaml"
    study.write_text(editor_line(study) + "\n")
    assert found_by_an_editor(study).samefile(schema)
    moved = project.rename(tmp_path / "moved") / "study.yaml"
    assert found_by_an_editor(moved).is_file() is (inner or installed.startswith(".."))
