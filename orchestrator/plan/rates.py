"""Remember how fast trials of a store were, for estimates of others that are alike."""

from collections.abc import Iterable
from pathlib import Path

from orchestrator.core.by_object import ByObject
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.fingerprint import fingerprint
from trainers.schema.record import read_history, read_status, steps_of_others


class Likeness:
    """Name the trials of a plan that have about the same speed: those of equal images, detectors, batch and placement.

    Loss weights, learning rates, lengths and seeds do not count. Parts that thousands of trials share are looked at once.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan, self._keys = plan, ByObject[str]()

    def of(self, trial: PlannedTrial) -> str:
        """Return the key that a trial shares with those that are alike."""
        spec = trial.spec
        parts = (spec.dataset, spec.student, spec.teacher, spec.schedule)
        return self._keys.of(lambda: _alike(self._plan, trial), *parts, given=(spec.method.kind, trial.role))


def _alike(plan: Plan, trial: PlannedTrial) -> str:
    spec = trial.spec
    sizes = {"kind", "image_size", "augmentation", "multi_scale", "batch_scales"}
    content = {
        "dataset": spec.dataset.model_dump(mode="json", include=sizes),
        "student": spec.student.settings(),
        "teacher": spec.teacher.detector.settings() if spec.teacher else None,
        "method": spec.method.kind,
        "batch_size": spec.schedule.batch_size,
        "precisions": [spec.schedule.precision, spec.schedule.asks_in],
        "placement": plan.placement(trial.role).model_dump(
            mode="json", include={"workers", "threads", "cuda", "gpus", "channels_last", "portable"}
        ),
        **({"shares": spec.shares} if spec.shares else {}),
        "cohort": plan.study.search.cohort,
    }
    return fingerprint(content)[:12]


def measured(trial: PlannedTrial) -> float | None:
    """Return the seconds that a step of this very trial took, evaluation included; ``None`` before its first epoch."""
    history = read_history(trial.directory)
    steps = history[-1].step - _steps_before(trial) - steps_of_others(history) if history else 0
    return sum(sum(record.timing.values()) for record in history) / steps if steps > 0 else None


def measured_at_full_size(trial: PlannedTrial) -> float | None:
    """Return the seconds that a step takes with all workers: an elastic trial had fewer for a time, which took longer."""
    own, most = measured(trial), trial.spec.shares
    if own is None or most is None:
        return own
    history = read_history(trial.directory)
    seconds = sum(sum(record.timing.values()) for record in history)
    workers = sum(record.worker_s(most) for record in history)
    return own * workers / seconds / most if seconds else own


def _steps_before(trial: PlannedTrial) -> int:
    part, estimate = trial.spec.segment, trial.estimate
    if part is None or not part.from_epoch or not estimate.steps:
        return 0
    return estimate.steps // (part.until_epoch - part.from_epoch) * part.from_epoch


def remember(plan: Plan, path: Path) -> None:
    """Add the rates of the plan's finished trials that the file does not have."""
    file = SearchLog(path)
    likeness = Likeness(plan)
    known = {entry.get("trial") for entry in file.read()}
    for trial in plan.trials:
        if trial.id not in known and read_status(trial.directory) == "finished":
            rate = measured_at_full_size(trial)
            if rate is not None:
                file.append(trial=trial.id, alike=likeness.of(trial), seconds_per_step=rate)


def known_rates(path: Path) -> dict[str, list[float]]:
    """Return the rates in a store, in seconds a step, by the key that their trials share."""
    found: dict[str, list[float]] = {}
    for entry in _entries(path):
        found.setdefault(str(entry["alike"]), []).append(float(str(entry["seconds_per_step"])))
    return found


def _entries(path: Path) -> Iterable[dict[str, object]]:
    return (entry for entry in SearchLog(path).read() if {"alike", "seconds_per_step"} <= entry.keys())
