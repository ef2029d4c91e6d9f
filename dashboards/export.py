"""Write a snapshot and the page into one file that opens from disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboards.predictions import Artifacts, predictions_of
from dashboards.snapshot import Query, as_json, snapshot
from dashboards.web import bundle
from orchestrator.core.errors import OperationError
from orchestrator.tracking.history.recorded import TrackingStore
from trainers.schema.atomic import write_text

LIMIT = 5_000_000  # bytes of a file: what mail servers pass
POINTS = (200, 100, 50, 24, 12, 6)  # points of a curve, tried one after the other until the file is small enough
PICTURES = 1_500_000  # bytes of pictures in a file
CHARSET = '<meta charset="utf-8">'
# Nothing may be fetched, whatever the data says; the page's own scripts and styles stand in the file.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def export(tracking: TrackingStore, query: Query, target: Path, artifacts: Artifacts | None = None) -> int:
    """Write the page with a snapshot to ``target`` and return its size in bytes.

    Curves are thinned out, system metrics and pictures left out, as far as it takes to stay below 5 MB; ``notes`` in the file say so.
    Raises ``OperationError`` when that is not enough.
    """
    content, text = _fitting(tracking, query, target)
    if artifacts is not None:
        room = min(LIMIT - len(text.encode()), PICTURES)
        studies = [*content["studies"], *(version["study"] for version in content["older"])]
        trials = [*content["trials"], *(trial for version in content["older"] for trial in version["trials"])]
        found = predictions_of(studies, trials, artifacts, room)
        if found.content or found.notes:
            text = document(content | {"artifacts": found.content, "notes": [*content["notes"], *found.notes]})
    write_text(target, text)
    return len(text.encode())


def _fitting(tracking: TrackingStore, query: Query, target: Path) -> tuple[dict[str, Any], str]:
    """Return a snapshot, and the page with it, with as many points a curve as fit."""
    for points in POINTS:
        content: dict[str, Any] = dict(snapshot(tracking, replace(query, points=points, live=False)))
        if points < POINTS[0]:
            del content["system"]  # the least of what a file of many trials is opened for
            content["notes"] = [
                *content["notes"],
                f"curves are thinned to {points} points each and system metrics left out, to keep the file small",
            ]
        text = document(content)
        if len(text.encode()) <= LIMIT:
            return content, text
    raise OperationError(f"{target}: more trials than fit into {LIMIT // 10**6} MB: name fewer studies by --study")


def document(content: dict[str, Any]) -> str:
    """Return the page with this snapshot in it."""
    page = bundle.page(as_json(content), "Stillhouse")
    return page.replace(CHARSET, f'{CHARSET}\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">', 1)
