"""Whatever a study file holds, loading and planning it ends in trials or in findings, and soon."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from orchestrator.core.findings import StudyErrors
from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.study.expand import expand
from orchestrator.study.load import load_study
from tests.unit.orchestrator.planning import LAPTOP
from tests.unit.orchestrator.study_mutations import TEXTS, mutated_data, mutated_text, prepare

LONGEST_S = 10.0  # for one study of a few lines, on a busy machine


def run(folder: Path, text: str) -> bool:
    """Load and plan a study's text; return whether it was accepted."""
    path = folder / "study.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    began, findings = time.monotonic(), ()
    try:
        loaded = load_study(path, trust_python=True)
        assert expand(loaded.study)
        assert make_plan(loaded, Store(folder / "store"), LAPTOP).students
    except StudyErrors as errors:
        findings = errors.findings
        if not findings:
            raise
    assert time.monotonic() - began < LONGEST_S
    assert all(str(finding).isprintable() for finding in findings)
    return not findings


def accepted_of(count: int, folder: Path, seed: int) -> int:
    """Run ``count`` mutated studies, half of them mutated as text, half as data; return how many were accepted."""
    prepare(folder)
    studies: tuple[dict[str, Any], ...] = tuple(YAML(typ="safe", pure=True).load(text) for text in TEXTS)
    chance, accepted = random.Random(seed), 0
    for number in range(count):
        text = mutated_text(chance) if number % 2 else mutated_data(studies, chance)
        try:
            accepted += run(folder, text)
        except BaseException:
            print(text)
            raise
    return accepted


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the secret that some mutations ask for be there."""
    monkeypatch.setenv("A_SECRET", "hunter2-hunter2")


@pytest.mark.parametrize("text", TEXTS, ids=["shapes", "coco", "voc"])
def test_studies_are_right_before_they_are_mutated(text: str, tmp_path: Path) -> None:
    prepare(tmp_path)
    assert run(tmp_path, text)


@pytest.mark.timeout(120)
def test_mutated_studies_end_in_findings_or_trials(tmp_path: Path) -> None:
    assert 10 < accepted_of(1_000, tmp_path, seed=20240229) < 500


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_mutated_studies_end_in_findings_or_trials(tmp_path: Path) -> None:
    assert 100 < accepted_of(10_000, tmp_path, seed=1) < 5_000
