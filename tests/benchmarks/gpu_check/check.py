"""Make the check: each part in a process of its own, ended at the end of its share at the latest."""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.gpu_check.parts import Part

ROOT = Path(__file__).parents[3]
COMPLETE, STOPPED, FAILED = "complete", "stopped at the end of its share", "failed"


def part_record(part: Part, device: str, seconds: float) -> dict[str, Any]:
    """Measure a part within so many seconds, and return what was found and what was not."""
    with TemporaryDirectory(prefix="stillhouse-gpu-check-") as folder:
        began, errors = time.monotonic(), Path(folder) / "stderr"
        rows = Path(folder) / "rows"
        code = _run([part.name, device, str(began + seconds), str(rows)], seconds, errors)
        names, found = _read(rows)
        measured = {row["name"] for row in found}
        missing = None if names is None else [name for name in names if name not in measured]
        return {
            "name": part.name,
            "what": part.what,
            "share_s": round(seconds, 1),
            "seconds": round(time.monotonic() - began, 1),
            "state": _state(code, missing),
            "why": _last_line(errors) if code else "",
            "rows": found,
            "not_run": missing,
        }


def holds(record: dict[str, Any]) -> bool:
    """Tell whether a part found nothing wrong: it may have been stopped, but did not fail."""
    rows = record["rows"]
    return record["state"] != FAILED and all(row.get("holds", True) and row.get("outcome") != "failed" for row in rows)


def _run(arguments: list[str], seconds: float, errors: Path) -> int | None:
    """Return the exit code, nothing of a process that had to be ended."""
    command = [sys.executable, "-m", f"{__package__}.measure_part", *arguments]
    with errors.open("w") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            process.kill()
            process.wait()


def _read(rows: Path) -> tuple[list[str] | None, list[dict[str, Any]]]:
    """Return the names of all rows, nothing if the part did not come to them, and the rows that were measured."""
    text = rows.read_text() if rows.exists() else ""
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]  # the last may be torn
    return (lines[0], lines[1:]) if lines else (None, [])


def _state(code: int | None, missing: list[str] | None) -> str:
    if code:
        return FAILED
    return COMPLETE if missing == [] else STOPPED


def _last_line(errors: Path) -> str:
    lines = [line for line in errors.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""
