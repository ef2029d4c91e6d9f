"""Nothing that a file says becomes markup in a notebook, and no secret is shown there."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.html_table import html_table
from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from stillhouse import Study
from tests.unit.orchestrator.planning import LAPTOP
from tests.unit.orchestrator.study.test_mapping import valid

HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m"
TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td", "div"}


class TagCollector(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[Any] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[Any]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> TagCollector:
    collector = TagCollector()
    collector.feed(html)
    return collector


@pytest.mark.parametrize("place", range(4))
def test_every_part_is_escaped(place: int) -> None:
    texts = ["a", "b", "c", "d"]
    texts[place] = HOSTILE
    found = parsed(html_table(texts[0], [texts[1]], [[texts[2]]], [texts[3]]))
    assert (found.tags, found.attributes) == (TAGS, [])
    assert "<script>alert(1)</script>" in found.text
    assert "\x1b" not in found.text


def test_a_secret_is_not_shown() -> None:
    assert "hunter2" not in html_table("a", ["b"], [["postgresql://me:hunter2@host/db"]])


def test_a_study_with_hostile_names_shows_them_as_text(tmp_path: Path) -> None:
    data = valid()
    data["description"] = HOSTILE.replace("\x1b", "")
    files = {"annotations": "a.json", "images": "<b>images</b>"}
    data["dataset"] = {"kind": "coco", "root": "<i>", "train": files, "val": files, "classes": ["<script>x</script>"]}
    study = Study.load(data, base_dir=tmp_path)
    plan = make_plan(study.loaded, Store(tmp_path / "store"), LAPTOP)
    assert parsed(plan._repr_html_()).tags == TAGS  # with a note about the missing files
    assert parsed(study._repr_html_()).tags <= TAGS
    assert "<script>x</script>" in parsed(study._repr_html_()).text
