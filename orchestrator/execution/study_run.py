"""Run plans to their ends: the only way from a plan to results, for commands, jobs and Python alike."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from orchestrator.core.errors import OperationError
from orchestrator.core.exit_codes import FAILED, OK
from orchestrator.core.outcome import ExitStatus
from orchestrator.core.store import Store
from orchestrator.core.working_directory import require_working_directory
from orchestrator.execution.interruption import Interruption
from orchestrator.execution.on_end import telling_the_end
from orchestrator.execution.ownership import single_writer_lock
from orchestrator.execution.prepare import require_tracker
from orchestrator.execution.startup import Startup, ray_is_up
from orchestrator.execution.unwritten import Unwritten
from orchestrator.plan.plan import Plan
from orchestrator.plan.split_scores import read_scores
from orchestrator.plan.totals import further, to_train
from orchestrator.plan.trial import refreshed
from orchestrator.results.result_table import ResultTable
from orchestrator.study.wording import counted
from trainers.schema.record import read_outcome

if TYPE_CHECKING:
    from orchestrator.execution.callbacks import Watcher
    from orchestrator.execution.together import Together
    from orchestrator.results.result import TrialResult
    from orchestrator.tracking.flusher import Delivery
    from orchestrator.tracking.tracker import Tracker


@dataclass(frozen=True)
class RunSettings:
    """Hold where and how a run trains; no setting here changes a number.

    ``address`` is a running Ray cluster, else the run starts a local one. ``mirror`` is the URL where copies of the trials
    are kept. ``trials`` limits the run to trials of these ids; ``together`` is its part in a store that it shares. The end
    waits ``tracker_wait_s`` seconds at most for an MLflow that does not answer. ``watching`` returns a
    context manager whose value receives the trial events of a plan, such as progress bars. ``measuring`` is called once
    with the results when no trial has failed, writes further files into the trials' directories, and returns why that
    failed. ``predicting`` is called with them at the very end where MLflow has everything, and returns the same.
    """

    address: str | None = None
    mirror: str | None = None
    tracker_wait_s: float = 60.0
    watching: "Callable[[Plan], AbstractContextManager[Watcher]] | None" = None
    measuring: "Callable[[Plan, Store, Sequence[TrialResult]], str] | None" = None
    predicting: "Callable[[Plan, Store, Sequence[TrialResult]], str] | None" = None
    trials: frozenset[str] | None = None
    together: "Together | None" = None

    @property
    def finishing(self) -> AbstractContextManager[None]:
        """Return the turn of a run that shares its store to write a study's common records."""
        return self.together.finishing() if self.together else nullcontext()


@dataclass(frozen=True, repr=False)
class RunResult(ResultTable):
    """Hold the outcome of a run: a sequence of results, the teacher's first.

    ``chosen`` are the trials that the run was limited to, ``None`` for all. ``delivery`` says whether MLflow has
    everything, ``uncopied`` lists results missing from the mirror, ``unmeasured`` says why the test split was not measured,
    ``unwritten`` why the store lacks a file, such as an outcome. ``unpredicted`` says why there are no predictions, which is
    no failure.
    """

    store: Store
    tracker: "Tracker"
    delivery: "Delivery"
    chosen: frozenset[str] | None = None
    uncopied: str = ""
    unmeasured: str = ""
    unwritten: str = ""
    unpredicted: str = ""

    @cached_property
    def trials(self) -> "tuple[TrialResult, ...]":
        """Return one result a trial: from MLflow, or from the trials' directories while MLflow lacks something."""
        from orchestrator.tracking.reading import read_study
        from orchestrator.tracking.results import results_on_disk

        if self.delivery.complete:
            return tuple(read_study(self.plan, self.store).results)
        return tuple(results_on_disk(self.plan, self.tracker.known_runs))

    @property
    def failed(self) -> "tuple[TrialResult, ...]":
        """Return the results of the trials that failed, of those that the run had to train."""
        wanted = self.chosen
        return tuple(
            result for result in self.trials if result.status == "failed" and (wanted is None or result.id in wanted)
        )

    def reason(self, failed: "TrialResult") -> str:
        """Return why a trial failed."""
        outcome = read_outcome(self.store.trial_dir(failed.id))
        return outcome.reason if outcome else "its directory is elsewhere"

    @property
    def outcome(self) -> ExitStatus:
        """Return exit code 1 when a trial failed or MLflow lacks something, with the reason; else 0."""
        if self.failed:
            first = self.failed[0]
            count = f"{len(self.failed)} of {counted(len(self.trials), 'trial')} failed"
            return ExitStatus(FAILED, f"{count}; {first.id} ({first.method}): {self.reason(first)}")
        if self.unwritten:
            return ExitStatus(FAILED, self.unwritten)
        if not self.delivery.complete:
            return ExitStatus(FAILED, f"MLflow at {self.tracker.address} lacks results: {self.delivery.reason}")
        lacking = self.uncopied or self.unmeasured
        return ExitStatus(FAILED, lacking) if lacking else ExitStatus(OK)


class RunInterrupted(KeyboardInterrupt):
    """Carry the outcome of a run that the user interrupted: every trial has saved its state."""

    def __init__(self, result: RunResult) -> None:
        super().__init__()
        self.result = result


@contextlib.contextmanager
def writing(store: Store) -> Iterator[None]:
    """Make this process the store's only writer for the length of a block; raise ``OperationError`` if another does.

    Raises ``UserError`` where the working directory is gone.
    """
    require_working_directory()
    with store.only_run(), single_writer_lock(store):
        yield


def run_to_end(plan: Plan, store: Store, settings: RunSettings, *, keep_ray: bool = False) -> RunResult:
    """Train the plan's remaining trials, copy all results to MLflow, and tell the end as the study asks for it.

    The caller holds ``writing(store)``, or takes part in a shared store.

    ``keep_ray`` leaves Ray up for another plan. ``ray_environment.prepare`` has run, and Ray is not imported before the
    tracking store has answered. Raises ``OperationError`` when the teacher fails, ``UserError`` when MLflow refuses the
    study, ``RunInterrupted`` when the user stopped the run in order.
    """
    with telling_the_end(plan, store) as ended:
        result = _run_to_end(plan, store, settings, keep_ray=keep_ray)
        ended(lambda: result.outcome)
    return result


def _run_to_end(plan: Plan, store: Store, settings: RunSettings, *, keep_ray: bool) -> RunResult:
    return _predicted(_trained_and_measured(plan, store, settings, keep_ray=keep_ray), settings)


def _trained_and_measured(plan: Plan, store: Store, settings: RunSettings, *, keep_ray: bool) -> RunResult:
    from orchestrator.storage.copier import mirrored

    result = None
    try:
        with mirrored(plan, settings.mirror) as copiers:
            result = _trained(plan, store, settings, copiers, keep_ray=keep_ray)
            result = _measured(result, settings)  # the mirror is still open
    except OperationError as error:
        if result is None:
            raise
        return replace(result, uncopied=str(error))  # all is trained: what the mirror lacks must not hide the results
    return result


def _measured(result: RunResult, settings: RunSettings) -> RunResult:
    if settings.measuring is None or result.failed:  # with a failed trial the choice is not made yet
        return result
    from orchestrator.tracking.flusher import Flusher

    with settings.finishing:
        unmeasured = settings.measuring(result.plan, result.store, result.trials)
    turn = settings.together.delivering if settings.together else nullcontext
    waits_for_nothing = result.delivery.complete and not unmeasured
    begun = [trial for trial in result.plan.trials if read_scores(trial.directory) is not None]
    delivery = (
        Flusher(result.tracker, begun, turn=turn).close(settings.tracker_wait_s)
        if waits_for_nothing and begun
        else result.delivery
    )
    return replace(result, delivery=delivery, unmeasured=unmeasured)


def _predicted(result: RunResult, settings: RunSettings) -> RunResult:
    if settings.predicting is None or not result.delivery.complete:  # predictions lie beside what MLflow has
        return result
    with settings.finishing:
        return replace(result, unpredicted=settings.predicting(result.plan, result.store, result.trials))


def _trained(
    plan: Plan, store: Store, settings: RunSettings, copiers: "Sequence[Watcher]", *, keep_ray: bool
) -> RunResult:
    startup = Startup()
    needs_ray = bool(to_train(map(refreshed, plan.trials)) or further(plan))
    needs_ray = needs_ray and not ray_is_up()
    with startup.part("MLflow", "opening MLflow" if needs_ray else ""):
        from orchestrator.tracking.flusher import Delivery
        from orchestrator.tracking.tracker import Tracker

        tracker, interruption, unwritten = Tracker(plan, store), Interruption(), Unwritten()
        with settings.together.delivering() if settings.together else nullcontext():
            require_tracker(tracker)
    with startup.part("loading Ray", "starting Ray" if needs_ray else ""):
        from orchestrator.execution.run import run_plan

    try:
        with contextlib.ExitStack() as stack:
            watchers = [stack.enter_context(settings.watching(plan))] if settings.watching else []
            train = partial(
                run_plan, plan, store, tracker, [*watchers, *copiers], settings.address, interruption,
                settings.tracker_wait_s, keep_ray=keep_ray, chosen=settings.trials, together=settings.together,
                unwritten=unwritten,
            )  # fmt: skip
            delivery = train(startup=startup if needs_ray else None)
            while settings.together and settings.together.is_asked(settings.trials):
                delivery = train()
    except KeyboardInterrupt:
        if not interruption.asked:
            raise
        stopped = Delivery(complete=False, reason="the run was stopped")
        raise RunInterrupted(RunResult(plan, store, tracker, stopped, settings.trials)) from None
    return RunResult(plan, store, tracker, delivery, settings.trials, unwritten=unwritten.reason)
