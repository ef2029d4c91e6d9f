"""Shipped studies are found by name from anywhere, and no name leads out of their folder."""

from pathlib import Path

import pytest

from orchestrator.study.load import load_study
from orchestrator.study.shipped import shipped_file, shipped_studies
from tests.unit.orchestrator.command import runner
from trainers.schema.zoo import configs_dir


def test_a_shipped_study_is_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    named = load_study("stillhouse::studies/quickstart.yaml").study
    assert named == load_study(configs_dir() / "studies" / "quickstart.yaml").study


@pytest.mark.parametrize("name", shipped_studies())
def test_commands_take_each_of_them(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STILLHOUSE_DATA", str(tmp_path))
    answer = runner(capsys)("check", name)
    assert answer.code == 0, answer.err
    assert answer.out == f"{name}: ok\n"


@pytest.mark.parametrize("typed", ["studies/quikstart.yaml", "quickstart", "quickstart.yaml", "studies/quickstart"])
def test_a_name_that_is_near_is_suggested(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = runner(capsys)("check", f"stillhouse::{typed}")
    meant = "did you mean stillhouse::studies/quickstart.yaml?"
    assert (answer.code, answer.err) == (2, f"stillhouse::{typed}: no such shipped study: {meant}\n")


@pytest.mark.parametrize("typed", ["", "studies/", "studies"])
def test_the_folder_lists_all(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer = runner(capsys)("plan", f"stillhouse::{typed}")
    assert answer.code == 2
    assert all(name in answer.err for name in shipped_studies())


@pytest.mark.parametrize("name", ["../pyproject.toml", "/etc/passwd", "studies/../../setup.cfg", ""])
def test_no_name_leads_out(name: str) -> None:
    assert not shipped_file(f"stillhouse::{name}").is_file()
