"""Keep beside a trial the metrics that its best student has on the study's test split."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainers.schema.atomic import write_text
from trainers.schema.foreign_json import parse_json

FILE = "test.json"  # in a trial's directory


@dataclass(frozen=True)
class SplitScores:
    """Hold metrics as shares of one, and the digest of the split that they were measured on; ``at_ms`` says when."""

    data: str
    metrics: Mapping[str, float]
    at_ms: int = 0


def read_scores(directory: Path) -> SplitScores | None:
    """Return the metrics in a trial's directory, ``None`` where there are none that can be read."""
    path = directory / FILE
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        metrics = {str(key): float(value) for key, value in content["metrics"].items()}
        return SplitScores(str(content["data"]), metrics, int(1000 * path.stat().st_mtime))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_scores(directory: Path, data: str, metrics: Mapping[str, float]) -> None:
    """Write the metrics into a trial's directory, in place of those of another split."""
    write_text(directory / FILE, json.dumps({"format": 1, "data": data, "metrics": dict(metrics)}, indent=1))
