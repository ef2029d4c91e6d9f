"""Lay out the table of detectors on its page in the docs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.detectors_table.chosen import Folder, chosen
from trainers.schema.heads import head_spec

DOCS = Path(__file__).parents[2] / "docs" / "detectors.md"
RESULTS = Path(__file__).with_name("results.jsonl")
Row = dict[str, Any]
Cells = tuple[str, str, str, str, str]
BEGIN, END = "<!-- table: python -m tests.detectors_table -->\n", "<!-- end of the table -->\n"
HEADER = "| folder | config | head | tried as | result |\n|---|---|---|---|---|\n"
WORKS, LEFT_OUT, NOT_TRIED = "works", "left out", "not tried yet"


def read(results: Path) -> dict[str, Row]:
    """Return the rows of a file of results by folder, an empty dictionary where there is none."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
    return {row["folder"]: row for row in map(json.loads, lines)}


def write(results: Path, known: Mapping[str, Row]) -> None:
    """Write a file of results, a line a folder."""
    lines = [json.dumps(known[name]) + "\n" for name in sorted(known)]
    results.write_text("".join(lines), encoding="utf-8")


def render(page: str, known: Mapping[str, Row]) -> str:
    """Return the page with its table replaced by one of these results, by folder."""
    before, after = page.split(BEGIN, maxsplit=1)[0], page.split(END)[1]
    rows = [_row(folder, known.get(folder.name)) for folder in chosen()]
    return f"{before}{BEGIN}{_summary(rows)}\n{HEADER}{''.join(map(_line, rows))}{END}{after}"


def _row(folder: Folder, result: Row | None) -> Cells:
    config = folder.config
    if config is None:
        return folder.name, "-", "-", "-", f"{LEFT_OUT}: {folder.reason}"
    spec = head_spec(config.head, config.detector)
    outcome = NOT_TRIED if result is None else _outcome(result["reason"])
    return folder.name, config.path.partition("/")[2], spec.head, _form(result), outcome


def _form(result: Row | None) -> str:
    given = result["form"] if result is not None else {}
    shown = (_changes(value) if key == "model" else f"{key} {value}" for key, value in given.items())
    return ", ".join(shown) or "it is"


def _changes(model: Mapping[str, Any]) -> str:
    return f"num_queries {model['num_queries']}" if "num_queries" in model else "a backbone of 32 channels"


def _outcome(reason: str | None) -> str:
    return WORKS if reason is None else f"does not work: {' '.join(reason.split())}"


def _summary(rows: list[Cells]) -> str:
    counted = [row for row in rows if not row[-1].startswith(LEFT_OUT)]
    works, waiting = (sum(row[-1] == outcome for row in counted) for outcome in (WORKS, NOT_TRIED))
    tried = f"all were tried: {works} work" if not waiting else f"{len(counted) - waiting} were tried: {works} work"
    return (
        f"Of mmdet's {len(rows)} folders, {len(counted)} have a detector that trains from boxes alone. "
        f"Of these {tried}.\n"
    )


def _line(row: Cells) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n"
