"""Name the files that a trial leaves in its directory, and read the small ones that drivers need."""

import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trainers.schema.atomic import write_text
from trainers.schema.foreign_json import parse_json
from trainers.schema.status import Ended, Status, has_ended

BEST, LAST, CONFIG = "best.pth", "last.pth", "config.py"
CARRIED = "carried.pt"  # the state at the end of a segment, for those who go on from there
HISTORY, OUTCOME, PROGRESS, ERROR = "history.jsonl", "outcome.json", "progress.json", "error.txt"
WEIGHTS, COUNTS = "weights.json", "data.json"
SELECTION_METRIC = "coco/bbox_mAP"
FAMILIES = ("coco/", "voc/")  # metrics that compare detectors: fractions in the store, percent in tables
RECORDED_AT = (
    "recorded_at"  # of a result in Ray Tune: a trial that is started again reports its earlier records once more
)


class DamagedFile(OSError):
    """Report a file of a trial that has changed since it was written; the message is one sentence for the user."""


@dataclass(frozen=True)
class Record:
    """Hold the results of one epoch.

    ``metrics`` are functions of the trial alone; ``timing`` (seconds) is not, and stays apart so that two runs of a
    trial can be compared to the bit. ``wall_time`` is in seconds since 1970; ``final`` marks the trial's last record.
    ``workers`` is how many workers an elastic trial had, the mean over the epoch's seconds; ``None`` for other trials.
    ``system`` is how much of its machines the trial used in the epoch's training (``trainers.schema.system_metrics``).
    ``trained_by`` is the id of the trial that made the steps, where it is another: they took this one no time.
    """

    epoch: int
    step: int
    metrics: dict[str, float]
    timing: dict[str, float] = field(default_factory=dict)
    wall_time: float = 0.0
    final: bool = False
    workers: float | None = None
    trained_by: str | None = None
    system: dict[str, float] = field(default_factory=dict)

    def worker_s(self, workers: float) -> float:
        """Return the seconds of all workers together, of a trial that has ``workers`` unless its record knows better."""
        return sum(self.timing.values()) * (workers if self.workers is None else self.workers)


@dataclass(frozen=True)
class Outcome:
    """Hold how a trial ended: ``finished``, ``stopped`` early by a scheduler, or ``failed`` with a reason."""

    status: Ended
    reason: str = ""


@dataclass(frozen=True)
class TakenOver:
    """Hold whose state a trial started from, and how many of its ``epochs`` had been made by then."""

    trial: str
    epochs: int


def best_record(history: list[Record], metric: str = SELECTION_METRIC) -> Record | None:
    """Return the record with the highest ``metric``, the earliest of equals.

    0.0 is a value like any other; NaN and infinities are failed measurements, never the best.
    """
    scored = [record for record in history if math.isfinite(record.metrics.get(metric, math.nan))]
    return max(scored, key=lambda record: record.metrics[metric], default=None)


def to_lines(history: list[Record]) -> str:
    """Return a history as JSON lines."""
    return "".join(json.dumps(_to_json(record)) + "\n" for record in history)


def _to_json(record: Record) -> dict[str, Any]:
    found = asdict(record)
    for key in ("workers", "trained_by"):
        if found[key] is None:
            del found[key]
    if not record.system:
        del found["system"]
    return found


def steps_of_others(history: list[Record]) -> int:
    """Return how many of a trial's first steps another trial has made for it."""
    return max((record.step for record in history if record.trained_by is not None), default=0)


def taken_over(history: list[Record]) -> TakenOver | None:
    """Return whose state a trial started from, ``None`` where it has made all of its epochs."""
    last = next((record for record in reversed(history) if record.trained_by is not None), None)
    return None if last is None or last.trained_by is None else TakenOver(last.trained_by, last.epoch)


def read_history(directory: str | Path) -> list[Record]:
    """Return a trial's committed records, in order; none for a trial that has not committed any.

    Of a damaged file the records before the damage are returned while the trial goes on, which writes the file anew.
    Raises ``DamagedFile`` when the trial has ended.
    """
    lines = (text_in(directory, HISTORY) or "").splitlines()
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        record = _parse(line)
        if record is None:
            if read_outcome(directory) is not None:
                raise DamagedFile(
                    f"{Path(directory) / HISTORY} is damaged in line {number}: delete {directory} and run again"
                )
            break
        records.append(record)
    return records


def to_record(content: Any) -> Record:
    """Return a record from plain data; raise ``ValueError`` or ``TypeError`` when it is none."""
    record = Record(**content)
    numbers = [
        record.epoch,
        record.step,
        record.wall_time,
        *record.metrics.values(),
        *record.timing.values(),
        *record.system.values(),
        record.workers or 0,
    ]
    if not all(isinstance(number, int | float) for number in numbers):
        raise TypeError(f"not a record: {content}")
    if not isinstance(record.trained_by, str | None):
        raise TypeError(f"not a record: {content}")
    return record


def _parse(line: str) -> Record | None:
    try:
        return to_record(parse_json(line))
    except (ValueError, TypeError, AttributeError):
        return None


def read_outcome(directory: str | Path) -> Outcome | None:
    """Return how a trial ended, ``None`` while it has not; raise ``DamagedFile`` when that cannot be told."""
    text = text_in(directory, OUTCOME)
    if text is None:
        return None
    path = Path(directory) / OUTCOME
    try:
        outcome = Outcome(**parse_json(text))
    except (ValueError, TypeError) as error:
        raise DamagedFile(f"{path} is damaged: delete {directory} and run again") from error
    if not has_ended(outcome.status):
        raise DamagedFile(f"{path} is damaged: delete {directory} and run again")
    return outcome


def write_outcome(directory: str | Path, outcome: Outcome) -> None:
    """Record how a trial ended."""
    write_text(Path(directory) / OUTCOME, json.dumps(asdict(outcome)))


def read_status(directory: str | Path) -> Status:
    """Return where a trial stands, from its directory alone."""
    outcome = read_outcome(directory)
    if outcome is not None:
        return outcome.status
    return "unfinished" if os.path.exists(_beside(directory, HISTORY)) else "new"  # noqa: PTH110  # see text_in


def text_in(directory: str | Path, name: str) -> str | None:
    """Return the text of a small file of a trial, ``None`` where there is none.

    A plan asks this of ten thousand trials, most of them new: making path objects would take longer than asking.
    """
    try:
        with open(_beside(directory, name), encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _beside(directory: str | Path, name: str) -> str:
    return f"{os.fspath(directory)}{os.sep}{name}"
