"""Lay out a reproduction: every unit once, whichever rows share it, in the order that teachers and checks demand."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial
from orchestrator.reproduce.data.part_of_data import parts_of
from orchestrator.reproduce.data.smoke_data import smoke_roots
from orchestrator.reproduce.fidelity import shortened, smoke
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.runs import JobFactory, PaperJob
from orchestrator.reproduce.tables import Suite, TableRow, suites_for, switched
from orchestrator.study.fingerprint import canonical_json, fingerprint
from orchestrator.study.schema import Search


@dataclass(frozen=True)
class RunPlan:
    """Hold the suites that were asked for, their units by name, and which units each trial serves."""

    suites: tuple[Suite, ...]
    units: dict[str, PaperJob]
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
        """Return the units in the order in which they run."""
        return tuple(sorted(self.units.values(), key=lambda unit: (not unit.is_weights, unit.teacher is not None)))

    def waves(self) -> tuple[tuple[PlannedTrial, ...], ...]:
        """Return the trials in three waves: checks of public weights, trials without dependencies, and the rest."""
        checks = distinct(trial for unit in self.units.values() if unit.is_weights for trial in unit.trials)
        studies = [unit for unit in self.units.values() if not unit.is_weights]
        alone = distinct(trial for unit in studies if not unit.teacher for trial in unit.trials)
        own = {trial.id: trial for trial in alone}  # a teacher that is a row itself goes by that row's name
        teachers = [own.get(unit.teacher.id, unit.teacher) for unit in studies if unit.teacher]
        first = distinct([*teachers, *alone])
        then = distinct(trial for unit in studies if unit.teacher for trial in unit.trials)
        known = {trial.id for trial in (*checks, *first)}
        return checks, first, tuple(trial for trial in then if trial.id not in known)

    def rows_of(self, trial_id: str) -> tuple[str, ...]:
        """Return in which rows a trial is used, as ``A3 ATSS-R50 bckd``; a teacher or check in those that rest on it."""
        users = {name for name, unit in self.units.items() if trial_id in self.needs(unit)}
        named = (f"{row.table} {row.label}".strip() for row in self.rows if unit_name(row) in users)
        return tuple(dict.fromkeys(named))

    def needs(self, unit: PaperJob) -> frozenset[str]:
        """Return the ids of the trials that a unit is made of or waits for."""
        checks = (trial for gate in unit.gates for trial in self.units[gate].trials)
        teacher = (unit.teacher,) if unit.teacher else ()
        return frozenset(trial.id for trial in (*unit.trials, *teacher, *checks))

    def source(self, trial: PlannedTrial) -> PaperJob:
        """Return the first unit that a trial is of, as its own or as its teacher."""
        return next(unit for unit in self.order if trial.id in {t.id for t in (*unit.trials, unit.teacher) if t})


def make_agenda(targets: Iterable[str], options: Options, store: Store, machine: Machine | None = None) -> RunPlan:
    """Return the work that ``targets`` need; it uses neither data, GPU nor network, and writes nothing."""
    suites = tuple(switched(suite, options.switches) for target in targets for suite in suites_for(target))
    suites = tuple({suite.name: suite for suite in suites}.values())
    maker = _maker(suites, options, store, machine)
    units: dict[str, PaperJob] = {}
    for row in (row for suite in suites for row in suite.rows):
        name = unit_name(row)
        if name not in units:
            units[name] = maker.weights(row.weights) if row.weights else maker.study(row.study, (row.public,))
        for gate in units[name].gates:
            units.setdefault(gate, maker.weights(gate))
    return RunPlan(suites, units, options)


def unit_name(row: TableRow) -> str:
    """Return the name of the unit that a row's numbers come from."""
    return row.study or row.weights


def data_folder(store: Store) -> Path:
    """Return where drawn and cut datasets are kept."""
    return store.root / "data"


def merged(agenda: RunPlan, trials: tuple[PlannedTrial, ...], label: str) -> tuple[Plan, ...]:
    """Return plans that run ``trials``: one for all that share data, placement and, where cohorts are formed, a teacher.

    One plan means one sweep: its trials take turns in the same processes.
    """
    groups: dict[str, list[PlannedTrial]] = {}
    for trial in trials:
        groups.setdefault(_common(agenda, trial), []).append(trial)
    return tuple(_plan(agenda.source(group[0]).plan, tuple(group), label) for group in groups.values())


def _common(agenda: RunPlan, trial: PlannedTrial) -> str:
    study = agenda.source(trial).plan.study
    alone = study.search.cohort == 1
    teacher = None if alone or trial.spec.teacher is None else trial.spec.teacher.model_dump(mode="json")
    sections = [trial.spec.dataset, study.scaling, study.tracking]
    return canonical_json([teacher, study.search.cohort, *(section.model_dump(mode="json") for section in sections)])


def _plan(plan: Plan, trials: tuple[PlannedTrial, ...], label: str) -> Plan:
    """Return a plan of these trials, placed like those of ``plan``."""
    identity = fingerprint([trial.id for trial in trials])
    search = Search(cohort=plan.study.search.cohort)
    study = plan.study.model_copy(
        update={"name": label, "description": f"reproduce: {len(trials)} trials", "search": search}
    )
    return replace(
        plan, study=study, fingerprint=identity, teacher=None, students=trials, findings=(), suggested=[],
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
