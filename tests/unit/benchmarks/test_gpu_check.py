"""The check of twelve minutes: its shares, its stops, and what is written from its file."""

import json
import time
from typing import Any

import pytest

from tests.benchmarks.document import DOCUMENT
from tests.benchmarks.gpu_check.budget import RESERVE, Budget, Row
from tests.benchmarks.gpu_check.check import COMPLETE, FAILED, STOPPED, holds
from tests.benchmarks.gpu_check.parts import AT_TOY_SIZE, PARTS, TWELVE_MINUTES, shares
from tests.benchmarks.gpu_check.section import NOT_RUN, RECORD, section

GIB = 2**30


def part(name: str, rows: list[Row], not_run: list[str] | None, state: str = COMPLETE) -> dict[str, Any]:
    what = next(part.what for part in PARTS if part.name == name)
    return {"name": name, "what": what, "share_s": 70.0, "state": state, "why": "", "rows": rows, "not_run": not_run}


MACHINE = {
    "date": "2026-12-01", "processor": "a processor", "cpus": 16, "python": "3.12.3", "packages": {"torch": "2.11.0", "mmdet": None},
    "gpu": {"name": "a GPU", "cuda": "13.0", "cudnn": 91000},
}  # fmt: skip
COHORT = {
    "name": "1344 x 800, bf16, channels_last, 4", "images_per_s": 80.0, "seconds": 0.1, "flops": 2e13,
    "memory": 12 * GIB, "loss": 2.5,
}  # fmt: skip
MEASURED = {
    "machine": MACHINE,
    "parts": [
        part("proofs", [{"name": "one", "outcome": "passed", "why": ""}, {"name": "two", "outcome": "failed", "why": "E 1"}], []),
        part("step", [{"name": f"pair {n}", "ours": 1.0 + n / 100, "theirs": 1.0} for n in range(5)], ["pair 5"], STOPPED),
        part("forecasts", [{"name": "1344 x 800, bf16, channels_last", "peaks": {"4": 11 * GIB}}], []),
        part("cohorts", [{"name": "ceiling, bf16", "flops_per_s": 8e14}, COHORT], []),
        part("equality", [], None, STOPPED),
    ],
}  # fmt: skip


def test_shares_add_up_to_the_time_that_was_given() -> None:
    assert sum(part.share_s for part in PARTS) == TWELVE_MINUTES == 12 * 60
    assert sum(part.toy_s for part in PARTS) == AT_TOY_SIZE < 3 * 60
    for device in ("cpu", "cuda"):
        assert sum(seconds for _, seconds in shares(100.0, device)) == pytest.approx(100.0)
    [(_, first), *_] = shares(TWELVE_MINUTES, "cuda")
    assert first == PARTS[0].share_s


def test_a_part_begins_nothing_that_would_outlast_its_share() -> None:
    rows: list[Row] = []
    Budget(time.monotonic() + 3600).spend([lambda: {"name": "one"}, lambda: {"name": "two"}], rows.append)
    assert [row["name"] for row in rows] == ["one", "two"]
    assert Budget(time.monotonic() + 3600).has(3500 / RESERVE)
    assert not Budget(time.monotonic() + 3600).has(3700 / RESERVE)
    rows.clear()
    Budget(time.monotonic() - 1).spend([lambda: {"name": "one"}], rows.append)
    assert rows == []


def test_a_stopped_part_is_no_failure_and_a_wrong_row_is() -> None:
    assert holds(part("step", [], ["pair 0"], STOPPED))
    assert not holds(part("step", [], None, FAILED))
    assert not holds(part("equality", [{"name": "one", "holds": False}], []))
    assert not holds(MEASURED["parts"][0])


def test_the_section_tells_what_was_found_and_what_did_not_run() -> None:
    text = section(MEASURED)
    assert "a GPU, CUDA 13.0, cuDNN 91000" in text
    assert "torch 2.11.0" in text
    assert "mmdet" not in text.split("\n\n")[0]
    assert "`tests/gpu`: 1 passed, 1 failed." in text
    assert "**failed**: `two`: E 1" in text
    assert "forward): 1.020, 95 % bound 1.040, 5 pairs, 1020 ms a step." in text
    assert "not run within 70 s: pair 5." in text
    assert "| 1344 x 800, bf16, channels_last, 4 | 80.00 | 20.00 | 12.00 | 11.00 | 200 | 25% | 2.5000 |" in text
    assert "resumed and side by side against alone: not run" in text


def test_a_part_that_failed_says_why() -> None:
    failed = {**part("equality", [], None, FAILED), "why": "RuntimeError: CUDA error"}
    text = section({"machine": MACHINE, "parts": [failed]})
    assert "failed (RuntimeError: CUDA error)" in text
    assert "cohorts: not run." in text


def test_the_document_holds_what_the_published_check_says() -> None:
    record = json.loads(RECORD.read_text()) if RECORD.exists() else None
    assert f"<!-- gpu -->\n{section(record)}\n<!-- /gpu -->" in DOCUMENT.read_text()
    assert section(None) == NOT_RUN
