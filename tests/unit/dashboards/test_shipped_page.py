"""The exported page in docs/ is that of a real study, and shows the numbers of the text beside it."""

import json
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "dashboards" / "bccd.html"
EMBEDDED = re.compile(r'<script type="application/json" id="snapshot">(.*?)</script>', re.DOTALL)


def test_it_shows_the_table_of_the_docs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    [content] = EMBEDDED.findall(page)
    snapshot = json.loads(content)
    snapshot = snapshot.get("snapshot", snapshot)
    ap = snapshot["metrics"].index("coco/bbox_mAP")
    rows = {row["point"].removeprefix("weight="): row for row in snapshot["rows"] if row["method"] == "cwd"}
    assert len(rows) == 12
    text = (DOCS / "paper" / "bccd_features.md").read_text(encoding="utf-8")
    for weight in ("0.01", "0.1", "1", "10 (default)", "100"):
        [cells] = re.findall(rf"^\| {re.escape(weight)} \| (\S+) ± (\S+) \|.*Y?$", text, re.MULTILINE)
        row = rows[str(float(weight.split()[0]))]
        shown = (100 * row["mean"][ap], 100 * row["spread"][ap])
        assert shown == pytest.approx(tuple(map(float, cells)), abs=0.0501)


def test_it_names_no_folder_of_the_machine_that_made_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(re.findall(r'"(/[\w/.-]{3,})"', page)) <= {"/data/bccd"} | set(
        re.findall(r'"(/data/runs/[\w/.-]+)"', page)
    )
    assert not re.search(r"/(home|work|root|Users)/", EMBEDDED.findall(page)[0])
