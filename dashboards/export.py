"""Write a snapshot and the page into one file that opens from disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from dashboards.predictions import Artifacts, predictions_of
from dashboards.snapshot import Query, as_json, snapshot
from dashboards.studies import sort_into_studies
from dashboards.web import bundle
from orchestrator.core.errors import OperationError, UserError
from orchestrator.study.selection import TITLES
from orchestrator.study.wording import closest, enumeration, shorten
from orchestrator.tracking.history.recorded import TrackingStore
from trainers.schema.atomic import write_text
from trainers.schema.class_metrics import PREFIX as PER_CLASS

LIMIT = 5_000_000  # bytes of a file: what mail servers pass
NAMED = 6  # studies or metrics that a message lists
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
    Raises ``OperationError`` when that is not enough, ``UserError`` where the query names a study or a metric that the store lacks.
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
        _require_named(tracking, query, content)
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


def _require_named(tracking: TrackingStore, query: Query, content: dict[str, Any]) -> None:
    """Raise ``UserError`` for a study or a metric of the query that no run has; the store is asked again only where one is."""
    shown = {study["name"] for study in content["studies"]}
    if any(name not in shown for name in query.studies):
        _require_studies(tracking, query)
    if query.metric not in ("", *content["metrics"], *TITLES):
        _require_metric(tracking, query, content["metrics"])


def _require_studies(tracking: TrackingStore, query: Query) -> None:
    names = list(dict.fromkeys(study.name for study in sort_into_studies(tracking.runs()) if study.trials))
    for name in query.studies:
        if name not in names:
            _refuse("--study", f"{shorten(name)}: the tracking store has no trial of this study", name, names)


def _require_metric(tracking: TrackingStore, query: Query, shown: list[str]) -> None:
    """Look for the metric among those that snapshots have no room for as well, such as the AP of single classes."""
    found = sort_into_studies(tracking.runs())
    runs = [run for study in found if not query.studies or study.name in query.studies for run in study.trials]
    names = sorted({key for run in runs for key in run.metrics})
    if names and query.metric not in names:
        of_classes = [name for name in names if name.startswith(PER_CLASS)]
        _refuse("--metric", f"no trial has recorded {shorten(query.metric)}", query.metric, [*shown, *of_classes])


def _refuse(option: str, message: str, name: str, known: list[str]) -> NoReturn:
    """Raise with the name that was probably meant, or with those that there are."""
    if meant := closest(name, known):
        raise UserError(f"{option}: {message} (did you mean {meant}?)")
    some = [*known[:NAMED], *([f"{len(known) - NAMED} more"] if len(known) > NAMED else [])]
    raise UserError(f"{option}: {message}; {f'there are {enumeration(some)}' if some else 'it has none at all'}")


def document(content: dict[str, Any]) -> str:
    """Return the page with this snapshot in it."""
    page = bundle.page(as_json(content), "Stillhouse")
    return page.replace(CHARSET, f'{CHARSET}\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">', 1)
