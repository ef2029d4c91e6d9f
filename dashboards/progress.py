"""Compute the progress of trials and studies, and the time left."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from dashboards.run_record import RunRecord

ENDED = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "stopped"}
SILENT_S, SILENT_EPOCHS = 300.0, 3.0  # a run that has said nothing for so long is not running any more


def status_of(trial: RunRecord, now: float) -> str:
    """Return a trial's status: its recorded outcome, else derived from MLflow and the time since its last value."""
    run = trial.run
    if run.outcome:
        return run.outcome
    if run.kind == "" and run.status in ENDED:
        return ENDED[run.status]
    if run.status not in ("RUNNING", "SCHEDULED"):
        return "unfinished"
    patience = SILENT_S + SILENT_EPOCHS * (trial.epoch_s or 0.0)
    return "running" if trial.heard is not None and now - trial.heard <= patience else "unfinished"


def counts(trials: Sequence[RunRecord], now: float) -> dict[str, int]:
    """Return how many trials have each status."""
    return dict(Counter(status_of(trial, now) for trial in trials))


def eta_s(trials: Sequence[RunRecord], planned: int | None, now: float) -> float | None:
    """Return how long a study will take from now on, ``None`` where nothing runs or no epoch has been timed.

    The epochs of students tell how long one takes; until there are any those of the teacher do. The remaining work (of running trials and of planned ones that have not begun) is divided by the number of running
    trials; the estimate is at least that of the longest running trial.
    """
    running = [trial for trial in trials if status_of(trial, now) == "running"]
    timed = _of_students(trials, lambda trial: trial.epoch_s)
    if not running or not timed:
        return None
    epoch_s = statistics.fmean(timed)
    left = [_left(trial, epoch_s) for trial in running]
    lengths = _of_students(trials, lambda trial: trial.epochs)
    to_come = max(0, (planned or 0) - len(trials)) * (statistics.fmean(lengths) if lengths else 0.0) * epoch_s
    return max(*left, (sum(left) + to_come) / len(running))


def _of_students(trials: Sequence[RunRecord], read: Callable[[RunRecord], float | None]) -> list[float]:
    """Return a value of each student that has it, of the teachers where no student does."""
    found = [(trial.role, value) for trial in trials if (value := read(trial)) is not None]
    return [value for role, value in found if role == "student"] or [value for _, value in found]


def _left(trial: RunRecord, epoch_s: float) -> float:
    return max(0, (trial.epochs or 0) - (trial.epoch or 0)) * (trial.epoch_s or epoch_s)
