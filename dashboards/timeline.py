"""Read a run's timeline from the tracking store."""

from collections.abc import Mapping
from typing import Any

from dashboards.numbers import number
from dashboards.schema import SnapshotEvent
from orchestrator.core.redact import redacted
from orchestrator.tracking.history.recorded import RecordedRun

LONGEST = 500  # characters of a text
MOST = 100  # events of a run


def events_of(run: RecordedRun) -> list[SnapshotEvent]:
    """Return a run's timeline, oldest first: its recorded events, and its end where that was no success."""
    events = [_event(found) for found in run.events[-MOST:]]
    if run.outcome in ("failed", "stopped") or (not run.outcome and run.status in ("FAILED", "KILLED")):
        kind = run.outcome or {"FAILED": "failed", "KILLED": "stopped"}[run.status]
        events.append(_end(run, kind))
    return events


def _end(run: RecordedRun, kind: str) -> SnapshotEvent:
    time, failure = number(run.ended), kind == "failed"
    return {"time": time, "kind": kind, "action": "ended", "detail": run.reason, "failure": failure}


def _event(found: Mapping[str, Any]) -> SnapshotEvent:
    time = found.get("time")
    return {
        "time": number(float(time)) if isinstance(time, int | float) else None,
        "kind": _text(found.get("kind")),
        "action": _text(found.get("action")),
        "detail": _text(found.get("detail")),
        "failure": True,
    }


def _text(value: object) -> str:
    return "" if value is None else redacted(str(value)[:LONGEST])
