"""The studies on the page about fine-tuning have no mistakes, and the page's sentence about the plan is the plan's."""

import re
from pathlib import Path

import pytest

from orchestrator.plan.weights import needed_urls
from orchestrator.study.load import load_study
from tests.unit.orchestrator.planning import plan_file
from tests.unit.orchestrator.study_text import write
from trainers.formats.starting import StartReport

PAGE = (Path(__file__).parents[4] / "docs" / "finetune.md").read_text(encoding="utf-8")
STUDY, OWN_CHECKPOINT, SEARCH = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.M | re.S)


def merged(change: str) -> str:
    """Return the page's study with the sections of a later block in place of its own."""
    sections = re.findall(r"^(\w+):", change, flags=re.M)
    kept = re.sub(rf"^({'|'.join(sections)}):.*\n(?:[ ].*\n)*", "", STUDY, flags=re.M)
    return kept + change


@pytest.mark.parametrize("change", ["", OWN_CHECKPOINT, SEARCH], ids=["study", "checkpoint", "search"])
def test_the_studies_of_the_page_have_no_mistake(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "coco_detector.pth").write_bytes(b"\x80\x02")
    path = write(tmp_path, merged(change) if change else STUDY)
    loaded = load_study(path)
    assert {finding.level for finding in loaded.warnings} <= {"missing"}  # the data, which is yours
    own = {"student.weights"} if change == OWN_CHECKPOINT else set()
    assert set(needed_urls(loaded.study).values()) == {"teacher.detector.weights", "student.weights"} - own
    roles = [trial.role for trial in plan_file(path).trials]
    assert roles.count("teacher") == 1
    assert len(roles) == (19 if change == SEARCH else 7)


def test_the_plans_sentence_is_the_pages() -> None:
    rows = ("bbox_head.gfl_cls.weight", "bbox_head.gfl_cls.bias")
    classes = ("helmet", "vest", "person")
    said = StartReport("data/coco_detector.pth", 368, rows, {}, classes, ("person",)).describe()
    assert said in " ".join(PAGE.split())
