"""Offer the commands' verbs to Python: ``from stillhouse import Study``."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from orchestrator.core.errors import UserError
from orchestrator.core.findings import Finding
from orchestrator.core.home import require_home
from orchestrator.core.html_table import html_table
from orchestrator.core.plain_log import lines_shown
from orchestrator.core.store import Store
from orchestrator.dataset_check.study_check import check_study
from orchestrator.execution.checked_plan import checked_plan
from orchestrator.plan.at_fidelity import prepare_data
from orchestrator.plan.named import chosen
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.weights import needed_urls
from orchestrator.study.load import LoadedStudy, load_study
from orchestrator.study.mapping import StudyMapping
from orchestrator.study.wording import inline

if TYPE_CHECKING:
    from orchestrator.execution.study_run import RunResult
    from orchestrator.reports.progress import Progress
    from orchestrator.reports.study_results import StudyResults
    from orchestrator.submit.job_request import JobRequest
    from orchestrator.submit.shipment import Shipment
    from orchestrator.submit.submissions import SubmissionResult, Submissions


@dataclass(frozen=True)
class Study:
    """Hold a study that has no errors, and check, plan, run or submit it.

    >>> study = Study.load("configs/studies/quickstart.yaml", ["search.seeds=[0, 1]"])
    >>> [trial.id for trial in study.plan().trials]
    """

    sets: tuple[str, ...]
    trust_config: bool
    loaded: LoadedStudy

    @classmethod
    def load(
        cls,
        study: str | Path | Mapping[str, Any],
        sets: Iterable[str] = (),
        *,
        base_dir: str | Path | None = None,
        trust_config: bool = False,
    ) -> "Study":
        """Load a study from a file, from a shipped file (``stillhouse::studies/quickstart.yaml``) or from a mapping.

        ``sets`` (``key=value``, as after ``--set``) go on top. Relative names in a mapping start at ``base_dir``, by
        default the working directory; those in a file start at the file's folder. ``trust_config`` allows local detector
        configs, which can run code. Raises ``StudyErrors`` with all mistakes.
        """
        require_home()
        sets = (sets,) if isinstance(sets, str) else tuple(sets)
        loaded = load_study(_origin(study, base_dir), sets, trust_python=trust_config)
        return cls(sets, trust_config, loaded)

    @property
    def name(self) -> str:
        """Return the study's name."""
        return self.loaded.study.name

    def __repr__(self) -> str:
        return f"<Study {self.name!r} from {self.loaded.origin}>"

    def _repr_html_(self) -> str:
        study = self.loaded.study
        sections = ("dataset", "teacher", "student", "method", "search")
        rows = [row for section in sections for row in _keys_of(section, getattr(study, section))]
        return html_table(study.name, ("key", "value"), rows, map(str, self.loaded.warnings))

    def check(self) -> tuple[Finding, ...]:
        """Return the findings of ``stillhouse check`` for a study without errors: warnings, notes, missing files.

        Raises ``StudyErrors`` when a local detector config cannot be used.
        """
        return check_study(self.loaded)

    def plan(self, store: str | Path | None = None) -> Plan:
        """Return the trials that ``run`` would run in the store, their states, and problems or missing files.

        Detectors that have never been built here are built once, in a process of their own.
        """
        return checked_plan(self.loaded, Store(store))

    def run(
        self,
        store: str | Path | None = None,
        *,
        address: str | None = None,
        mirror: str | None = None,
        tracker_wait_s: float = 60.0,
        trials: Iterable[str] = (),
        share: bool = False,
        progress: bool = False,
        on_plan: Callable[[Plan], None] | None = None,
    ) -> "RunResult":
        """Run the study to its end, as ``stillhouse run`` does, and return the results, the teacher's first.

        Starts a Ray of its own, or uses the one at ``address``; ``mirror`` is where copies of the trials are kept.
        ``trials`` limits the run to these trials, by their ids or the first digits of them, and to the teacher if one of
        them needs it. ``share`` trains together with other runs that share the store: each takes trials that no other
        has, and returns when all have ended.
        ``progress`` shows bars or lines on stderr; ``on_plan`` is called with the plan before anything is started. A
        process may run any number of studies, one after the other, but ``ray`` must not be imported in it before the first
        run: Ray reads its settings at its import. Raises ``StudyErrors``, ``UserError`` and ``OperationError`` as the
        command would report them, and ``KeyboardInterrupt`` after an interruption. A failed trial is a result with status
        ``failed``.
        """
        from orchestrator.core import ray_environment
        from orchestrator.execution.prepare import cluster_at, fetch_weights, require_fitting, require_runnable
        from orchestrator.execution.study_run import RunSettings, run_to_end, writing
        from orchestrator.execution.together import taking_part
        from orchestrator.reports.end_predictions import why_not_predicted
        from orchestrator.reports.on_test_split import why_not_measured

        ray_environment.require_unused_ray()
        place = Store(store)
        if self.loaded.study.fidelity != "full":
            place.prepare()
            prepare_data([self.loaded.study], self.loaded.study.fidelity, place)
        self._require_divisible(trials := tuple(trials), mirror, share=share)
        plan = checked_plan(
            self.loaded,
            place,
            cluster_at(address, self.loaded.study.scaling.variables) if address else None,
            to_run=True,
        )
        if on_plan:
            on_plan(plan)
        require_runnable(plan)
        wanted = chosen(plan, trials) if trials else None
        if urls := needed_urls(plan.study):
            fetch_weights(urls)
            require_fitting(self.loaded, plan)
        place.prepare()
        ray_environment.prepare(address)
        with (
            lines_shown() if progress else nullcontext(),
            taking_part(plan, place) if share else writing(place) as part,
        ):
            watching = _bars(place, wanted) if progress else None
            settings = RunSettings(
                address, mirror, tracker_wait_s, watching, why_not_measured, why_not_predicted, wanted, part
            )
            return run_to_end(plan, place, settings)

    def _require_divisible(self, trials: tuple[str, ...], mirror: str | None, *, share: bool) -> None:
        """Raise ``UserError`` where the study's trials cannot be trained apart from each other, as the user wants."""
        from orchestrator.plan.independence import require_independent

        if trials:
            require_independent(self.loaded, "--trials")
        if share:
            require_independent(self.loaded, "--share")
        if share and mirror:
            raise UserError("--share and --mirror exclude each other: copies of a trial come from one run at a time")

    def results(self, store: str | Path | None = None) -> "StudyResults":
        """Return the results of the study's trials in the store, as ``stillhouse compare`` reads them.

        Trains nothing and writes nothing. Raises ``UserError`` or ``OperationError`` where nothing can be read.
        """
        from orchestrator.reports.study_results import read_results_of

        place = Store(store)
        return read_results_of(make_plan(self.loaded, place), place)

    def submit(
        self,
        address: str | None = None,
        store: str | Path | None = None,
        *,
        resume: bool = False,
        options: Iterable[str] = (),
        python: str | None = None,
        variables: Mapping[str, str] | None = None,
        resources: Mapping[str, float] | None = None,
    ) -> "SubmissionResult":
        """Submit the study to the cluster whose dashboard is at ``address``, or to the service of ``STILLHOUSE_URL``.

        Submitting twice joins; ``resume`` starts another attempt of one that failed, was stopped or lost. ``store`` is a
        folder that the cluster's machines share; ``options`` are further arguments of ``stillhouse run``. See ``JobRequest``
        for the rest. Raises ``UserError`` and ``OperationError``.
        """
        from orchestrator.submit.connect import connect

        job_request = self.job_request(store, options=options, python=python, variables=variables, resources=resources)
        submissions: Submissions = connect(address, job_request.store)
        return submissions.resume(job_request) if resume else submissions.submit(job_request)

    def job_request(
        self,
        store: str | Path | None = None,
        *,
        options: Iterable[str] = (),
        python: str | None = None,
        variables: Mapping[str, str] | None = None,
        resources: Mapping[str, float] | None = None,
        shipment: "Shipment | None" = None,
    ) -> "JobRequest":
        """Return the submission that ``submit`` would send, without contacting a cluster.

        ``shipment`` is a shipment packed elsewhere.
        """
        from orchestrator.submit.study_request import study_request

        return study_request(
            self.loaded,
            self.sets,
            store,
            trust_config=self.trust_config,
            options=options,
            python=python,
            variables=variables,
            resources=resources,
            shipment=shipment,
        )


def _origin(study: str | Path | Mapping[str, Any], base_dir: str | Path | None) -> Path | StudyMapping:
    if isinstance(study, Mapping):
        return StudyMapping(study, Path(base_dir or ".").absolute())
    if base_dir is not None:
        raise UserError("base_dir goes with a study from a mapping: names in a file start at the file's folder")
    return Path(study)


def _keys_of(name: str, section: BaseModel | None) -> list[tuple[str, str]]:
    """Return the keys of a section that differ from their defaults, with their values as a study would give them."""
    given = section.model_dump(mode="json", exclude_defaults=True) if section else {}
    return [(f"{name}.{key}", inline(value)) for key, value in given.items()]


def _bars(store: Store, chosen: frozenset[str] | None) -> "Callable[[Plan], Progress]":
    """Return a function that makes progress bars; the drawing library is loaded on demand."""
    from orchestrator.reports.progress import progress_in

    return progress_in(store, chosen)
