"""Turn a study into the trials that ``run`` will run: their identities, directories, states, and missing files."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from orchestrator.core.findings import Finding
from orchestrator.core.html_table import html_table
from orchestrator.core.store import Store
from orchestrator.plan.at_fidelity import at_its_fidelity
from orchestrator.plan.bounds import measure_deciding, points_left_out, within_bounds
from orchestrator.plan.digests import annotation_digests, dataset_digest
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.kept import keeping_nothing, kept_for, kept_states
from orchestrator.plan.machine import Machine, this_machine
from orchestrator.plan.planned_memory import PlannedMemory
from orchestrator.plan.planner import Planner
from orchestrator.plan.prefixes import with_file, with_prefixes
from orchestrator.plan.preflight import preflight
from orchestrator.plan.race import RacePoint, first_seeds, race_points, race_state, rounds_in
from orchestrator.plan.resources import Resources, resources
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial, Role, refreshed
from orchestrator.plan.warmups import long_warmups
from orchestrator.plan.weights import CheckpointDigests
from orchestrator.study.fingerprint import fingerprint
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import Fifo, Search, StudySpec
from orchestrator.study.space import adds_trials, is_open
from orchestrator.study.wording import counted
from trainers.schema import Job, Placement
from trainers.schema.record import SELECTION_METRIC

WORST_FIRST = ("error", "missing", "warning", "note")


@dataclass(frozen=True)
class PlannedStart:
    """Report the tensors that a detector starts from, and its place in the study."""

    where: str
    report: dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """Hold everything that ``run`` will do. ``findings`` list missing or doubtful items, worst first.

    ``starts`` are the detectors that start from other ones, once they have been built.
    A search whose trials follow from results adds to ``suggested`` while it runs; ``planner`` makes trials of its points.
    ``race`` has the points of a race over seeds, with all trials that it may come to.
    """

    study: StudySpec
    fingerprint: str
    teachers: tuple[PlannedTrial, ...]
    students: tuple[PlannedTrial, ...]
    resources: Resources
    findings: tuple[Finding, ...]
    planner: "Planner" = field(compare=False, repr=False)
    search_log: Path
    suggested: list[PlannedTrial] = field(default_factory=list)
    starts: tuple[PlannedStart, ...] = ()
    race: tuple[RacePoint, ...] = ()
    part: bool = False  # one of several plans that are run under one name
    memory: PlannedMemory | None = field(default=None, compare=False)  # of its trainings on GPUs

    def __repr__(self) -> str:
        return f"<Plan of {self.study.name!r}: {self._size()}, fingerprint {self.fingerprint[:ID_LENGTH]}>"

    def _repr_html_(self) -> str:
        rows = [(trial.id, trial.name, trial.spec.seed, trial.status) for trial in self.trials]
        caption = f"{self.study.name}: {self._size()}"
        return html_table(caption, ("id", "trial", "seed", "status"), rows, map(str, self.findings))

    def _size(self) -> str:
        states = Counter(trial.status for trial in self.trials)
        return f"{counted(len(self.trials), 'trial')} ({', '.join(f'{n} {state}' for state, n in states.items())})"

    @property
    def trials(self) -> tuple[PlannedTrial, ...]:
        """Return all trials that are known by now, the teachers' first, those that the search has come to last."""
        return (*self.teachers, *self.students, *self.suggested)

    def teacher_of(self, trial: PlannedTrial) -> PlannedTrial | None:
        """Return the trial of a student's teacher; ``None`` for one that is trained alone or learns from random weights."""
        return next((teacher for teacher in self.teachers if teacher.id == trial.teacher), None)

    def refreshed(self) -> "Plan":
        """Return the plan with the present states of its trials."""
        return replace(
            self,
            teachers=tuple(map(refreshed, self.teachers)),
            students=tuple(map(refreshed, self.students)),
            suggested=list(map(refreshed, self.suggested)),
        )

    @property
    def devices(self) -> float:
        """Return on how many GPUs a trial runs; where there are none, on how many workers."""
        return self.resources.workers * (self.resources.gpus_per_worker or 1.0)

    def job(self, trial: PlannedTrial) -> Job:
        """Return the job that a worker group receives for ``trial``."""
        directory = str(trial.directory)
        return Job(
            trial=trial.spec,
            trial_id=trial.id,
            directory=directory,
            placement=self.placement(trial.role),
            inputs=self.planner.inputs | trial.inputs,
            prefix=trial.prefix and with_file(trial.prefix),
            hands_on=trial.hands_on | self.keeps(trial),
            beside=trial.spec.teacher or self.planner.first_teacher,
        )

    def keeps(self, trial: PlannedTrial) -> dict[int, str]:
        """Return the files of the states that a student keeps when it is over, by epoch."""
        return kept_states(self.study.scaling.keep_states, trial) if trial.role == "student" else {}

    def placement(self, role: Role) -> Placement:
        """Return how trials in ``role`` are placed."""
        as_asked = self.study.scaling.model_dump(include={"checkpoint_steps", "start_timeout_s", "hang_timeout_s"})
        return self.resources.placement(role).model_copy(update=as_asked)


def make_plan(loaded: LoadedStudy, store: Store, machine: Machine | None = None) -> Plan:
    """Plan ``loaded`` for ``store``; needs neither data nor GPU, and reports missing ones."""
    loaded = at_its_fidelity(loaded, store)
    study = loaded.study
    machine = machine or this_machine()
    granted = resources(study, machine)
    findings = (*loaded.warnings, *preflight(loaded, granted, machine))
    annotations = annotation_digests(study.dataset)
    digest = dataset_digest(study.dataset, annotations)
    files = CheckpointDigests()
    planner = Planner(study, store, digest, annotations, files)
    known = planner.students()
    measure_deciding(loaded, planner.costs, known)
    affordable, over = within_bounds(loaded, planner.costs, known)
    students, left_out = _within_budget(loaded, affordable)
    kept, goes_on = kept_for(store, planner, study.search, students)
    students = with_prefixes(study.search, students, kept)
    planned = known if study.search.constraints.given else students  # a name does not follow from a measurement
    identity = _study_identity(study, planner, [*planner.teacher_trials(planned), *planned])
    search_log = store.search_log(_search_identity(study, identity)[:ID_LENGTH])
    events = SearchLog(search_log).read()
    race = race_points(students) if study.search.racing else ()
    teachers = planner.teacher_trials(students)
    added = race_state(study.search, race, rounds_in(events))[1] if race else planner.suggested(search_log)
    return Plan(
        study=study,
        fingerprint=identity,
        teachers=teachers,
        students=tuple(_at_first(study, race) if race else students),
        resources=granted,
        findings=worst_first(
            (
                *findings,
                *over,
                *left_out,
                *goes_on,
                *keeping_nothing(loaded, students),
                *long_warmups(loaded, (*teachers, *students)),
                *points_left_out(loaded, events),
            )
        ),
        planner=planner,
        search_log=search_log,
        suggested=added,
        race=race,
    )


def with_findings(plan: Plan, found: Iterable[Finding]) -> Plan:
    """Return the plan with more findings."""
    return replace(plan, findings=worst_first((*plan.findings, *found)))


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings in the order of their weight."""
    return tuple(sorted(findings, key=lambda finding: WORST_FIRST.index(finding.level)))


def _within_budget(loaded: LoadedStudy, students: list[PlannedTrial]) -> tuple[list[PlannedTrial], list[Finding]]:
    """Return the first ``search.max_trials`` students, and a finding about the others."""
    most = loaded.study.search.max_trials
    if most is None or len(students) <= most:
        return students, []
    message = f"runs {most} of {counted(len(students), 'trial')} and leaves out {len(students) - most}"
    return students[:most], [Finding("warning", loaded.where("search.max_trials"), message)]


def _at_first(study: StudySpec, race: Sequence[RacePoint]) -> list[PlannedTrial]:
    """Return the trials that a race begins with."""
    return [trial for point in race for trial in point.trials[: first_seeds(study.search)]]


def _study_identity(study: StudySpec, planner: Planner, trials: Sequence[PlannedTrial]) -> str:
    """Return the fingerprint of a study: of its trials, or of how an open search finds them."""
    ids = [trial.id for trial in trials]
    bounds = [{"constraints": given}] if (given := study.search.constraints.given) else []
    race = [{"racing": study.search.racing.model_dump(mode="json")}] if study.search.racing else []
    metric = _deciding_metric(study.search) if adds_trials(study.search) else []
    if not is_open(study.search):
        return fingerprint([*ids, *bounds, *race, *metric])
    deciding = {"algorithm", "space", "seeds", "objectives", "population", "warm_start", "seed"}
    content = study.search.model_dump(mode="json", include=deciding)
    return fingerprint([ids, planner.at({}, 0).id, content, *bounds, *metric])


def _search_identity(study: StudySpec, identity: str) -> str:
    """Return the name of a search's decisions: others are made by another scheduler, or by another metric."""
    metric = [] if isinstance(study.search.scheduler, Fifo) else _deciding_metric(study.search)
    return fingerprint([identity, study.search.scheduler.model_dump(mode="json"), *metric])


def _deciding_metric(search: Search) -> list[dict[str, str]]:
    """Return the metric where it is not AP: studies by AP keep the names that they had before one could choose."""
    return [] if search.metric == SELECTION_METRIC else [{"metric": search.metric}]
