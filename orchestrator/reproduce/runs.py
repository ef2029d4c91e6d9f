"""Plan the work for one row: a study's trials and its teacher, or the evaluation of a public checkpoint."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.core.errors import UserError
from orchestrator.core.findings import Finding
from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.plan.weights import needed_urls, with_random_weights, zoo_detector
from orchestrator.reproduce.tables import paper_dir, study_file
from orchestrator.study.load import LoadedStudy, load_study
from orchestrator.study.schema import StudySpec, TrainedTeacher, ZooTeacher
from trainers.schema import NoDistillation

Shorten = Callable[[StudySpec], StudySpec]


@dataclass(frozen=True)
class PaperJob:
    """Hold one study or one public checkpoint: ``trials`` hold a row's numbers.

    ``teacher`` is the trial that has to be finished first, ``checked_weights`` are the public checkpoints that have to give a
    published AP first. ``fetch`` are addresses of weights that are not here; ``replaced`` those that random ones stand in for.
    """

    name: str
    plan: Plan
    trials: tuple[PlannedTrial, ...]
    teacher: PlannedTrial | None = None
    checked_weights: tuple[str, ...] = ()
    fetch: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    is_weights: bool = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return its missing requirements, except weights."""
        gone = (*self.fetch, *self.replaced)
        return tuple(f for f in self.plan.findings if not any(url in f.message for url in gone))


@dataclass(frozen=True)
class JobFactory:
    """Make jobs for one store and machine; ``random`` puts random weights in the place of those that are not here."""

    store: Store
    machine: Machine | None
    sets: tuple[str, ...]
    shorten: Shorten
    random: bool = False

    def study(self, name: str, public: Iterable[str] = ()) -> PaperJob:
        """Return the job of a study of the paper; ``public`` are checkpoints of its own student."""
        loaded = self._loaded(name)
        fetch = tuple(needed_urls(loaded.study))
        loaded = self._weighed(loaded)
        plan = make_plan(loaded, self.store, self.machine)
        trained = plan.teachers if isinstance(loaded.study.teacher, TrainedTeacher) else ()
        teacher = next(iter(trained), None)  # the paper's studies search no teachers
        zoo = (loaded.study.teacher.name,) if isinstance(loaded.study.teacher, ZooTeacher) else ()
        checked_weights = tuple(dict.fromkeys((*zoo, *(one for one in public if one))))
        return self._job(
            name, plan, plan.students, fetch, teacher=teacher, checked_weights=() if self.random else checked_weights
        )

    def weights(self, name: str) -> PaperJob:
        """Return the job that evaluates a public checkpoint; a random one in its place makes the steps of a student."""
        own = paper_dir() / "parts" / f"weights_{name}.yaml"
        path = own if own.is_file() else paper_dir() / "parts" / "weights_coco.yaml"
        sets = [f"name=paper_{name}", f"teacher.name={name}", f"student.config={zoo_detector(name).config}"]
        loaded = self._shortened(load_study(path, [*sets, *self._own_sets()]))
        fetch = tuple(needed_urls(loaded.study))
        if self.random and fetch:
            # The gradients of a deep backbone at random would end in numbers that are none.
            held = loaded.study.schedule.model_copy(update={"clip_grad": 1.0})
            alone = {"method": NoDistillation(kind="none"), "schedule": held}
            loaded = replace(loaded, study=loaded.study.model_copy(update=alone))
            plan = make_plan(loaded, self.store, self.machine)
            return self._job(name, plan, plan.students, fetch, is_weights=True)
        plan = make_plan(loaded, self.store, self.machine)
        return self._job(name, plan, plan.teachers, fetch, is_weights=True)

    def _job(
        self,
        name: str,
        plan: Plan,
        trials: tuple[PlannedTrial, ...],
        urls: tuple[str, ...],
        *,
        teacher: PlannedTrial | None = None,
        checked_weights: tuple[str, ...] = (),
        is_weights: bool = False,
    ) -> PaperJob:
        fetch, replaced = ((), urls) if self.random else (urls, ())
        named = tuple(_named(trial, name) for trial in trials)
        return PaperJob(
            name, plan, named, teacher and _named(teacher, name), checked_weights, fetch, replaced, is_weights
        )

    def _loaded(self, name: str) -> LoadedStudy:
        return self._shortened(load_study(_file(name), self.sets))

    def _own_sets(self) -> list[str]:
        """Return the changes that concern an evaluation: it has no seeds."""
        return [change for change in self.sets if not change.startswith("search.")]

    def _shortened(self, loaded: LoadedStudy) -> LoadedStudy:
        if loaded.study.scaling.shares is not None:
            raise UserError(
                f"{loaded.study.name}: reproduce compares with tables that fixed groups have trained, and whose bits repeat: "
                "give scaling.workers as one number"
            )
        return replace(loaded, study=self.shorten(loaded.study), warnings=())

    def _weighed(self, loaded: LoadedStudy) -> LoadedStudy:
        return replace(loaded, study=with_random_weights(loaded.study)) if self.random else loaded


def _file(name: str) -> Path:
    path = study_file(name)
    if path is None:
        raise UserError(f"the paper has no study named {name}")
    return path


def _named(trial: PlannedTrial, name: str) -> PlannedTrial:
    """Return the trial as a student of a plan of many rows: in tables and in MLflow its row tells it apart."""
    return replace(trial, role="student", params={"row": name, **trial.params})
