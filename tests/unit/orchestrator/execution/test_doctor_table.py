"""Doctor's findings keep whole words at any width; what it finds on this machine is left to tests/e2e."""

import re
import sys

import pytest

from orchestrator.cli import main
from orchestrator.execution import doctor, leaks
from orchestrator.execution.doctor import DoctorCheck
from tests.unit.orchestrator.reports.pretended import PretendedTerminal

FOUND = [
    DoctorCheck("ok", "python", "3.11.7 at /opt/a/long/place/of/virtual/environments/stillhouse/.venv/bin/python"),
    DoctorCheck("fail", "leaks", "process 4711 (python -m mlflow server) outlived its run: stillhouse doctor --clean removes it"),
]  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 120])
def test_words_stay_whole(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "examine", lambda *_: FOUND)
    monkeypatch.setattr(leaks, "find_leaks", lambda _: [])
    monkeypatch.setattr(sys, "stdout", terminal := PretendedTerminal())
    monkeypatch.setenv("COLUMNS", str(width))
    assert main(["doctor"]) == 1
    lines = re.sub(r"\x1b\[\d*m", "", terminal.getvalue()).splitlines()
    told = " ".join(f"{check.level} {check.subject} {check.message}" for check in FOUND)
    assert " ".join(lines).split() == told.split()
    assert [line for line in lines if len(line) > width and len(line.split()) > 3] == []
