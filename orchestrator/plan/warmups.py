"""Warn about warm-ups that outlast their training, which only the number of steps tells."""

from collections.abc import Iterable, Iterator

from orchestrator.core.findings import Finding
from orchestrator.plan.estimate import steps_per_epoch
from orchestrator.plan.trial import PlannedTrial, Role
from orchestrator.study.checks.schedule import outlasting, outlasts_by_itself
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import StudySpec, TrainedTeacher
from orchestrator.study.substitute import SPACE, written_at
from orchestrator.study.wording import counted

SECTIONS: dict[Role, str] = {"teacher": "teacher.schedule.warmup", "student": "schedule.warmup"}


def long_warmups(loaded: LoadedStudy, trials: Iterable[PlannedTrial]) -> Iterator[Finding]:
    """Warn once at each place that gives a warm-up after which trials never reach, or at their last step only, the learning rate.

    The two steps of ``fidelity: smoke`` learn nothing in any case, and of lengths in one unit the study itself tells.
    """
    if loaded.study.fidelity == "smoke":
        return
    found: dict[str, list[tuple[int, int]]] = {}
    for trial in trials:
        if (lengths := _too_long(trial)) is not None and (place := _written(loaded.study, trial)) is not None:
            found.setdefault(place, []).append(lengths)
    for place, (first, *others) in found.items():
        many = f", and of {counted(len(others), 'other trial')} as well" if others else ""
        message = f"{outlasting(first[0], 'iteration', first[1])}{many}: {_instead(first[1])}"
        yield Finding("warning", loaded.where(place), message)


def _too_long(trial: PlannedTrial) -> tuple[int, int] | None:
    """Return the steps of a trial's warm-up and of its training, ``None`` where they suit or are not known."""
    schedule, per_epoch = trial.spec.schedule, steps_per_epoch(trial.spec)
    if not per_epoch or outlasts_by_itself(schedule):
        return None
    warmup, training = schedule.warmup.steps(per_epoch), schedule.total_steps(per_epoch)
    return (warmup, training) if warmup >= training > 0 else None


def _written(study: StudySpec, trial: PlannedTrial) -> str | None:
    """Return the key that gives a trial's warm-up its length, ``None`` where that is the default."""
    section = SECTIONS[trial.role]
    unit = "iterations" if trial.spec.schedule.warmup.epochs is None else "epochs"
    key = written_at(study, f"{section}.{unit}")
    if key.startswith(SPACE):
        return key
    if trial.role == "student":
        schedule = study.schedule
    elif isinstance(study.teacher, TrainedTeacher):
        schedule = study.teacher.schedule
    else:
        return None
    return section if unit in schedule.warmup.model_fields_set else None


def _instead(training: int) -> str:
    return f"write iterations below {training}" if training > 1 else "write iterations: 0"
