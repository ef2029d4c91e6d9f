"""Read the images and boxes of each split, as the trials of a study counted them."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from orchestrator.core.errors import OperationError
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.artifact_locations import artifacts_of
from orchestrator.tracking.faults import plainly
from trainers.schema.foreign_json import parse_json
from trainers.schema.record import COUNTS


def read_counts(
    trials: Iterable[PlannedTrial], runs: Mapping[str, Run], client: MlflowClient | None
) -> Mapping[str, Any] | None:
    """Return the counts of a study's data, from a trial's directory or else from a run; ``None`` where nobody has them.

    All trials of a study see the same data, so the first counts that are found stand for all of it.
    """
    trials = list(trials)
    for trial in trials:
        if (trial.directory / COUNTS).exists():
            return _parsed(trial.directory / COUNTS)
    recorded = next((runs[trial.id] for trial in trials if trial.id in runs), None)
    return _fetched(client, recorded) if client is not None and recorded is not None else None


def _fetched(client: MlflowClient, run: Run) -> Mapping[str, Any] | None:
    with tempfile.TemporaryDirectory(prefix="stillhouse-") as scratch:
        try:
            with plainly():
                return _parsed(Path(artifacts_of(client, run).download_artifacts(COUNTS, scratch)))
        except OperationError:  # a run without it, or a server that is away meanwhile
            return None


def _parsed(path: Path) -> Mapping[str, Any] | None:
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(content, dict) and all(_counts_of(content.get(split)) for split in ("train", "val"))
    return content if whole else None


def _counts_of(split: object) -> bool:
    return isinstance(split, dict) and {"images_used", "boxes_used", "by_class"} <= set(split)
