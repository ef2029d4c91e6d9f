"""Turn MLflow's runs into plain ones."""

import functools
from collections.abc import Mapping
from typing import Any, Literal

from mlflow.entities import Run

from orchestrator.compat.mlflow_parts import last_points
from orchestrator.core.redact import redacted
from orchestrator.tracking.history.mlflow_database import RunRow, unclipped
from orchestrator.tracking.history.recorded import Latest, RecordedRun
from orchestrator.tracking.notes import MARK, NOTE
from orchestrator.tracking.prefix_tag import prefix_of_tag
from orchestrator.tracking.runs import DIGITS
from orchestrator.tracking.tags import (  # fmt: skip
    BEST_TRIAL,
    DATA,
    DEVICES,
    EVENTS,
    FINGERPRINT,
    KIND,
    MEMBER,
    METHOD,
    METRIC,
    ON_GPU,
    PARENT,
    PART,
    PLANNED,
    POINT,
    PREFIX,
    REASON,
    RESULTS,
    ROLE,
    RUN_AT,
    SEARCHED,
    SHORT_OF,
    STATUS,
    STUDY,
    TRIAL,
)
from trainers.schema.foreign_json import parse_json

OWN_FIELDS = {
    KIND,
    FINGERPRINT,
    STUDY,
    TRIAL,
    ROLE,
    METHOD,
    METRIC,
    STATUS,
    REASON,
    DATA,
    PLANNED,
    DEVICES,
    ON_GPU,
    EVENTS,
    RUN_AT,
    PART,
    SEARCHED,
    SHORT_OF,
    POINT,
    PREFIX,
    RESULTS,
    BEST_TRIAL,
}
INTERNAL = "mlflow."
KEPT = ("mlflow.user", "mlflow.source.name", "mlflow.source.git.commit")
LONGEST, LONGEST_KEY, LONGEST_REASON = 500, 250, 2000  # characters
MOST = 300  # parameters or tags of a run


def row_of(run: Run) -> RunRow:
    """Convert a run from MLflow's client to a row of the database."""
    metrics = {
        metric.key: Latest(unclipped(metric.value), metric.step, metric.timestamp / 1000)
        for metric in last_points(run.data)
    }
    info = run.info
    return RunRow(
        info.run_id, info.run_name, info.status, info.start_time, info.end_time, info.experiment_id, run.data.params,
        run.data.tags, metrics,
    )  # fmt: skip


def to_recorded(row: RunRow, experiment: str) -> RecordedRun:
    """Return a run of MLflow as plain data: secrets hidden, long texts cut."""
    tags = row.tags
    return RecordedRun(
        run_id=row.run_id,
        experiment=cut(experiment),
        name=cut(row.name or row.run_id),
        status=row.status,
        started=_seconds(row.started),
        ended=_seconds(row.ended),
        params=_texts(row.params),
        tags=_texts({key: value for key, value in tags.items() if _is_shown(key)}),
        metrics=row.metrics,
        description=cut(tags.get(NOTE, "").partition(MARK)[0], LONGEST_REASON),  # the links are for MLflow's pages
        parent=tags.get(PARENT, ""),
        studies=_studies(tags),
        run_at=_seconds(_count(tags.get(RUN_AT), 16)),
        searched=_names(tags.get(SEARCHED)),
        metric=cut(tags.get(METRIC, "")),
        short_of=cut(tags.get(SHORT_OF, "")),
        point=cut(tags[POINT]) if POINT in tags else None,
        part=tags.get(PART) == "yes",
        kind=_kind(tags.get(KIND, "")),
        study=cut(tags.get(STUDY, "")),
        trial=cut(tags.get(TRIAL, "")),
        role=cut(tags.get(ROLE, "")),
        method=cut(tags.get(METHOD, "")),
        outcome=cut(tags.get(STATUS, "")),
        reason=cut(tags.get(REASON, ""), LONGEST_REASON),
        data=cut(tags.get(DATA, "")),
        planned=_count(tags.get(PLANNED)),
        devices=_count(tags.get(DEVICES)),
        on_gpu={"yes": True, "no": False}.get(tags.get(ON_GPU, "")),
        experiment_id=row.experiment,
        events=_events(tags.get(EVENTS)),
        prefix=prefix_of_tag(cut(tags.get(PREFIX, ""))),
    )


@functools.lru_cache(maxsize=100_000)  # the same texts come again in every run, and hiding secrets is slow
def cut(text: str, longest: int = LONGEST) -> str:
    """Return a text without secrets, cut where it is long."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return redacted(shown)


def _kind(text: str) -> Literal["study", "trial", ""]:
    if text == "study":
        return "study"
    return "trial" if text == "trial" else ""


def _is_shown(tag: str) -> bool:
    return tag in KEPT or not (tag.startswith((INTERNAL, MEMBER)) or tag in OWN_FIELDS)


def _studies(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Return the studies that a run belongs to; runs of earlier releases name the one that recorded them."""
    joined = {tag.removeprefix(MEMBER) for tag in tags if tag.startswith(MEMBER)}
    recorded = {tags[FINGERPRINT][:DIGITS]} if tags.get(FINGERPRINT) else set()
    return tuple(sorted(joined | recorded))


def _texts(found: Mapping[str, str]) -> dict[str, str]:
    return {cut(key, LONGEST_KEY): cut(value) for key, value in list(found.items())[:MOST]}


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _count(text: str | None, longest: int = 9) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) <= longest else None


def _names(text: str | None) -> tuple[str, ...] | None:
    """Return the names that a tag lists, ``None`` where it does not."""
    try:
        found = parse_json(text or "")
    except ValueError:
        return None
    return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else None


def _events(text: str | None) -> list[dict[str, Any]]:
    """Return the timeline in a tag; anything else counts as no timeline."""
    try:
        found = parse_json(text or "[]")
    except ValueError:
        return []
    return [event for event in found if isinstance(event, dict)] if isinstance(found, list) else []
