"""Lay out a reproduction: every job once, whichever rows share it, in the order that teachers and checks demand."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from orchestrator.core.errors import UserError
from orchestrator.core.findings import StudyErrors
from orchestrator.core.store import Store
from orchestrator.plan.at_fidelity import data_folder
from orchestrator.plan.machine import Machine
from orchestrator.plan.part_of_data import parts_of
from orchestrator.plan.plan import Plan
from orchestrator.plan.smoke_data import smoke_roots
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.runs import JobFactory, PaperJob
from orchestrator.reproduce.tables import Suite, TableRow, suites_for, with_options
from orchestrator.study.fidelity import shortened, smoke
from orchestrator.study.fingerprint import canonical_json, fingerprint
from orchestrator.study.schema import Search
from orchestrator.study.wording import counted


@dataclass(frozen=True)
class RunPlan:
    """Hold the suites that were asked for, their jobs by name, and which jobs each trial serves."""

    suites: tuple[Suite, ...]
    jobs: dict[str, PaperJob]
    options: Options

    @property
    def rows(self) -> tuple[TableRow, ...]:
        """Return all rows, in the suites' order."""
        return tuple(row for suite in self.suites for row in suite.rows)

    @property
    def trials(self) -> tuple[PlannedTrial, ...]:
        """Return every trial once, each before those that wait for it."""
        return tuple(distinct(trial for wave in self.waves() for trial in wave))

    @property
    def order(self) -> tuple[PaperJob, ...]:
        """Return the jobs in the order in which they run."""
        return tuple(sorted(self.jobs.values(), key=lambda job: (not job.is_weights, job.teacher is not None)))

    def waves(self) -> tuple[tuple[PlannedTrial, ...], ...]:
        """Return the trials in three waves: checks of public weights, trials without dependencies, and the rest."""
        checks = distinct(trial for job in self.jobs.values() if job.is_weights for trial in job.trials)
        studies = [job for job in self.jobs.values() if not job.is_weights]
        alone = distinct(trial for job in studies if not job.teacher for trial in job.trials)
        own = {trial.id: trial for trial in alone}  # a teacher that is a row itself goes by that row's name
        teachers = [own.get(job.teacher.id, job.teacher) for job in studies if job.teacher]
        first = distinct([*teachers, *alone])
        then = distinct(trial for job in studies if job.teacher for trial in job.trials)
        known = {trial.id for trial in (*checks, *first)}
        return checks, first, tuple(trial for trial in then if trial.id not in known)

    def rows_of(self, trial_id: str) -> tuple[str, ...]:
        """Return in which rows a trial is used, as ``A3 ATSS-R50 bckd``; a teacher or check in those that rest on it."""
        users = {name for name, job in self.jobs.items() if trial_id in self.needs(job)}
        named = (f"{row.table} {row.label}".strip() for row in self.rows if job_name(row) in users)
        return tuple(dict.fromkeys(named))

    def needs(self, job: PaperJob) -> frozenset[str]:
        """Return the ids of the trials that a job is made of or waits for."""
        checks = (trial for checked in job.checked_weights for trial in self.jobs[checked].trials)
        teacher = (job.teacher,) if job.teacher else ()
        return frozenset(trial.id for trial in (*job.trials, *teacher, *checks))

    def source(self, trial: PlannedTrial) -> PaperJob:
        """Return the first job that a trial is of, as its own or as its teacher."""
        return next(job for job in self.order if trial.id in {t.id for t in (*job.trials, job.teacher) if t})


def make_run_plan(targets: Iterable[str], options: Options, store: Store, machine: Machine | None = None) -> RunPlan:
    """Return the work that ``targets`` need; it uses neither data, GPU nor network, and writes nothing.

    Raises ``UserError`` for a number of GPUs on which a study cannot be trained.
    """
    targets = tuple(targets)
    try:
        return _run_plan(targets, options, store, machine)
    except StudyErrors as errors:
        if options.gpus is None or not _is_plannable(targets, replace(options, gpus=None), store, machine):
            raise
        first = next(one for one in errors.findings if one.level == "error")
        raise UserError(f"--gpus {options.gpus}: {first.message} ({first.where}); give another number") from errors


def _is_plannable(targets: tuple[str, ...], options: Options, store: Store, machine: Machine | None) -> bool:
    try:
        _run_plan(targets, options, store, machine)
    except StudyErrors:
        return False
    return True


def _run_plan(targets: tuple[str, ...], options: Options, store: Store, machine: Machine | None) -> RunPlan:
    suites = tuple(with_options(suite, options.paper_options) for target in targets for suite in suites_for(target))
    suites = tuple({suite.name: suite for suite in suites}.values())
    maker = _maker(suites, options, store, machine)
    jobs: dict[str, PaperJob] = {}
    for row in (row for suite in suites for row in suite.rows):
        name = job_name(row)
        if name not in jobs:
            jobs[name] = maker.weights(row.weights) if row.weights else maker.study(row.study, (row.public,))
        for checked in jobs[name].checked_weights:
            jobs.setdefault(checked, maker.weights(checked))
    return RunPlan(suites, jobs, options)


def job_name(row: TableRow) -> str:
    """Return the name of the job that a row's numbers come from."""
    return row.study or row.weights


def merged(run_plan: RunPlan, trials: tuple[PlannedTrial, ...], label: str) -> tuple[Plan, ...]:
    """Return plans that run ``trials``: one for all that share data, placement and, where cohorts are formed, a teacher.

    One plan means one sweep: its trials take turns in the same processes.
    """
    groups: dict[str, list[PlannedTrial]] = {}
    for trial in trials:
        groups.setdefault(_common(run_plan, trial), []).append(trial)
    return tuple(_plan(run_plan.source(group[0]).plan, tuple(group), label) for group in groups.values())


def _common(run_plan: RunPlan, trial: PlannedTrial) -> str:
    study = run_plan.source(trial).plan.study
    alone = study.search.cohort == 1
    teacher = None if alone or trial.spec.teacher is None else trial.spec.teacher.model_dump(mode="json")
    sections = [trial.spec.dataset, study.scaling, study.tracking]
    return canonical_json([teacher, study.search.cohort, *(section.model_dump(mode="json") for section in sections)])


def _plan(plan: Plan, trials: tuple[PlannedTrial, ...], label: str) -> Plan:
    """Return a plan of these trials, placed like those of ``plan``."""
    identity = fingerprint([trial.id for trial in trials])
    search = Search(cohort=plan.study.search.cohort)
    study = plan.study.model_copy(
        update={"name": label, "description": f"reproduce: {counted(len(trials), 'trial')}", "search": search}
    )
    return replace(
        plan, study=study, fingerprint=identity, teachers=(), students=trials, findings=(), suggested=[],
        part=True, search_log=plan.search_log.with_name(f"{identity[:ID_LENGTH]}.jsonl"),
    )  # fmt: skip


def distinct(trials: Iterable[PlannedTrial]) -> tuple[PlannedTrial, ...]:
    """Return each trial once, in the order of their first appearance."""
    found: dict[str, PlannedTrial] = {}
    for trial in trials:
        found.setdefault(trial.id, trial)
    return tuple(found.values())


def _maker(suites: tuple[Suite, ...], options: Options, store: Store, machine: Machine | None) -> JobFactory:
    folder, sets = data_folder(store), tuple(options.sets())
    if options.fidelity == "smoke":
        roots = smoke_roots(folder)
        return JobFactory(store, machine, (*sets, "scaling.workers=1"), lambda study: smoke(study, roots), random=True)
    if options.fidelity == "short":
        return JobFactory(store, machine, sets, lambda study: shortened(study, parts_of([study], folder)))
    return JobFactory(store, machine, sets, lambda study: study)
