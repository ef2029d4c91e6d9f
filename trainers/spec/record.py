"""Name the files that a trial leaves in its directory, and read the light ones: what drivers need to know of it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from trainers.spec.atomic import write_text

RESUME, BEST, LAST, CONFIG = "resume.pt", "best.pth", "last.pth", "config.py"
HISTORY, OUTCOME, PROGRESS, ERROR = "history.jsonl", "outcome.json", "progress.json", "error.txt"
WEIGHTS = "weights.json"
SELECTION_METRIC = "coco/bbox_mAP"
Status = Literal["new", "unfinished", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Record:
    """Hold what one epoch produced.

    ``metrics`` are functions of the trial alone; ``timing`` (seconds) is not, and stays apart so that two runs of a
    trial can be compared to the bit. ``wall_time`` is in seconds since 1970; ``final`` marks the trial's last record.
    """

    epoch: int
    step: int
    metrics: dict[str, float]
    timing: dict[str, float] = field(default_factory=dict)
    wall_time: float = 0.0
    final: bool = False


@dataclass(frozen=True)
class Outcome:
    """Say how a trial ended: ``finished``, ``stopped`` early by a scheduler, or ``failed`` with a reason."""

    status: Literal["finished", "stopped", "failed"]
    reason: str = ""


def best_record(history: list[Record], metric: str = SELECTION_METRIC) -> Record | None:
    """Return the record with the highest ``metric``, the earliest of equals; 0.0 is a value like any other."""
    scored = [record for record in history if metric in record.metrics]
    return max(scored, key=lambda record: record.metrics[metric], default=None)


def to_lines(history: list[Record]) -> str:
    """Return a history as JSON lines."""
    return "".join(json.dumps(asdict(record)) + "\n" for record in history)


def read_history(directory: str | Path) -> list[Record]:
    """Return a trial's committed records, in order; none for a trial that has not committed any."""
    path = Path(directory) / HISTORY
    lines = path.read_text().splitlines() if path.exists() else []
    return [Record(**json.loads(line)) for line in lines]


def read_outcome(directory: str | Path) -> Outcome | None:
    """Return how a trial ended, ``None`` while it has not."""
    path = Path(directory) / OUTCOME
    return Outcome(**json.loads(path.read_text())) if path.exists() else None


def write_outcome(directory: str | Path, outcome: Outcome) -> None:
    """Record how a trial ended."""
    write_text(Path(directory) / OUTCOME, json.dumps(asdict(outcome)))


def read_status(directory: str | Path) -> Status:
    """Return where a trial stands, from its directory alone."""
    outcome = read_outcome(directory)
    if outcome is not None:
        return outcome.status
    return "unfinished" if (Path(directory) / HISTORY).exists() else "new"
