"""Write a trial's timeline into one tag, so that MLflow alone shows its history."""

import json
from collections.abc import Sequence

from orchestrator.core.redact import redacted
from trainers.schema.events import Event

LONGEST, LONGEST_DETAIL = 7500, 250  # characters; MLflow takes 8000 of a tag


def timeline_text(events: Sequence[Event]) -> str:
    """Return as many of the last events as a tag holds, as a JSON list; empty text for none; secrets are left out."""
    told: list[str] = []
    for event in reversed(events):
        told.insert(0, json.dumps(_told(event)))
        if sum(map(len, told)) + len(told) + 1 > LONGEST:
            told.pop(0)
            break
    return f"[{','.join(told)}]" if told else ""


def _told(event: Event) -> dict[str, str | float]:
    detail = redacted(event.detail)[:LONGEST_DETAIL]
    return {"time": round(event.time, 3), "kind": event.kind, "action": redacted(event.action)[:60], "detail": detail}
