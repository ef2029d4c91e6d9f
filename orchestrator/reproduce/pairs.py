"""Pair the trials that a figure compares: a student trained alone, and the same student with one teacher."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.rows import student_name
from orchestrator.reproduce.plan import RunPlan, distinct, job_name
from orchestrator.reproduce.runs import PaperJob
from orchestrator.study.schema import ZooTeacher

ROW = "row"


@dataclass(frozen=True)
class DetectorPair:
    """Hold a student and a teacher on one dataset: the trials without and with distillation, each once, in rows' order.

    ``teaches`` is the trial that trained or evaluated the teacher, ``None`` where the rows have none, as with random
    weights. ``tables`` are those in which the distilled rows stand.
    """

    student: str
    teacher: str
    tables: tuple[str, ...]
    alone: tuple[PlannedTrial, ...]
    taught: tuple[PlannedTrial, ...]
    teaches: PlannedTrial | None

    @property
    def name(self) -> str:
        """Return a readable name that distinguishes the pair."""
        return f"{', '.join(self.tables)}: {self.student} from {self.teacher}".removeprefix(": ")


def pairs_of(run_plan: RunPlan) -> list[DetectorPair]:
    """Return every pair of which the rows have a distilled trial; ``alone`` is empty where no row trains it alone."""
    jobs = [run_plan.jobs[name] for name in dict.fromkeys(map(job_name, run_plan.rows))]
    trained = [job for job in jobs if not job.is_weights]
    alone = distinct(trial for job in trained for trial in job.trials if trial.spec.teacher is None)
    groups: dict[tuple[object, ...], list[tuple[PaperJob, PlannedTrial]]] = {}
    for job in trained:
        for trial in job.trials:
            if trial.spec.teacher is not None:
                key = (_student(trial), trial.spec.teacher, trial.spec.dataset)
                groups.setdefault(key, []).append((job, trial))
    return [_pair(run_plan, group, alone) for group in groups.values()]


def _pair(
    run_plan: RunPlan, group: Sequence[tuple[PaperJob, PlannedTrial]], alone: Iterable[PlannedTrial]
) -> DetectorPair:
    jobs, (first, *_) = {job.name for job, _ in group}, [trial for _, trial in group]
    same = [t for t in alone if (_student(t), t.spec.dataset) == (_student(first), first.spec.dataset)]
    assert first.spec.teacher is not None
    return DetectorPair(
        student=_student(first),
        teacher=student_name(first.spec.teacher.detector),
        tables=tuple(dict.fromkeys(row.table for row in run_plan.rows if job_name(row) in jobs and row.table)),
        alone=_named_apart(same),
        taught=_named_apart(distinct(trial for _, trial in group)),
        teaches=_teaching(run_plan, group[0][0]),
    )


def _student(trial: PlannedTrial) -> str:
    return student_name(trial.spec.student)


def _teaching(run_plan: RunPlan, job: PaperJob) -> PlannedTrial | None:
    """Return the trial that holds a job's teacher, under the teacher's role."""
    section, found = job.plan.study.teacher, job.teacher
    if isinstance(section, ZooTeacher) and section.name in run_plan.jobs:
        [found] = run_plan.jobs[section.name].trials
    return None if found is None else replace(found, role="teacher", params={})


def _named_apart(trials: Sequence[PlannedTrial]) -> tuple[PlannedTrial, ...]:
    """Leave the row out of the trials' settings where the method tells them apart by itself."""
    rows: dict[str, set[object]] = {}
    for trial in trials:
        rows.setdefault(trial.spec.method.kind, set()).add(trial.params.get(ROW))
    return tuple(
        trial if len(rows[trial.spec.method.kind]) > 1 else replace(trial, params=_without_row(trial))
        for trial in trials
    )


def _without_row(trial: PlannedTrial) -> dict[str, JsonValue]:
    return {key: value for key, value in trial.params.items() if key != ROW}
