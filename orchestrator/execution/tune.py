"""Run planned trials with Ray Tune."""

import logging
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.exceptions import RayActorError, RayError
from ray.tune.search import Searcher

from orchestrator.core.errors import OperationError
from orchestrator.core.redact import redacted
from orchestrator.execution.interruption import Interruption
from orchestrator.failures.events import Event, read_events
from orchestrator.failures.kinds import MOST_RESTARTS
from orchestrator.failures.retry import judge
from orchestrator.plan.budget import Budget
from orchestrator.plan.cohorts import cohorts
from orchestrator.plan.machine import Machine, this_machine
from orchestrator.plan.plan import Plan, PlannedTrial, Role
from orchestrator.search.schedule import make_scheduler
from orchestrator.search.searcher import PlannedSearch
from orchestrator.search.suggestions import Suggestions
from orchestrator.study.schema import HyperBand
from orchestrator.study.space import is_open
from orchestrator.worker_groups.capacity import what_there_is
from orchestrator.worker_groups.pool import Pool, Terms
from orchestrator.worker_groups.trainable import FAILED_BECAUSE, LOOP, RUNNER_SHARE, TrialRunner
from trainers.schema import Job
from trainers.schema.record import ERROR, SELECTION_METRIC, Outcome, read_history, read_status, write_outcome
from trainers.schema.sharing import stream_key
from trainers.schema.stop import clear_stop, request_stop

log = logging.getLogger(__name__)
CONNECT_TIMEOUT_S = 10


class Watcher(Protocol):
    """Be told what happens to trials; must not raise or wait, for it is called inside Tune's loop."""

    def planned(self, trial: PlannedTrial) -> None:
        """Hear of a trial that the search has come to."""

    def started(self, trial_id: str) -> None:
        """Hear that a trial has begun."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hear of a record: epoch, metrics, and ``done``."""

    def ended(self, trial_id: str) -> None:
        """Hear that a trial will report no more."""


class Notifier(tune.Callback):
    """Pass Tune's events on to watchers, by our trial ids; judge trials whose process died and could not do it."""

    def __init__(self, watchers: Sequence[Watcher], plan: Plan, run: str, pool: Pool | None) -> None:
        self._watchers, self._run, self._pool = watchers, run, pool
        self._plan = plan
        self._jobs = {trial.id: plan.job(trial) for trial in plan.trials}
        self._began: dict[str, float] = {}
        self._known: dict[str, int] = {}  # how many failures of this run have been judged, by trial

    def __getstate__(self) -> dict[str, Any]:
        """Leave the watchers out: Tune pickles its callbacks with the experiment's state."""
        return {"_watchers": (), "_pool": None}

    def planned(self, trial: PlannedTrial) -> None:
        """Tell of a trial that the search has come to."""
        self._jobs[trial.id] = self._plan.job(trial)
        self.expected(trial.id)
        for watcher in self._watchers:
            watcher.planned(trial)

    def expected(self, trial_id: str) -> None:
        """Tell the hosts of a trial that is on its way to them: it is new, or goes on after a pause."""
        if self._pool is not None:
            self._pool.expect(trial_id, stream_key(self._jobs[trial_id]))

    def rests(self, over: bool) -> None:
        """Tell the hosts that the search proposes nobody before the next result, or ever again."""
        if self._pool is not None:
            self._pool.rest(over)

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell that a trial has started."""
        self._began[trial_id(trial)] = time.time()
        for watcher in self._watchers:
            watcher.started(trial_id(trial))

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Tell what a trial has reported."""
        for watcher in self._watchers:
            watcher.reported(trial_id(trial), result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell that a trial has ended."""
        if self._pool is not None:
            self._pool.leave(trial_id(trial))
        for watcher in self._watchers:
            watcher.ended(trial_id(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Let a trial that Tune gives up leave those beside it."""
        if self._pool is not None:
            self._pool.leave(trial_id(trial))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Judge a trial that died without a word; one whose budget is spent gets its outcome, and its runner ends at once."""
        job = self._jobs[trial_id(trial)]
        events = self._judged(job)
        if len(events) == self._known.get(job.trial_id, 0):  # else the runner has judged it
            verdict = judge(job, error_of(trial), self._run, self._began.get(job.trial_id, 0.0))
            if not verdict.again:
                write_outcome(job.directory, Outcome("failed", verdict.reason))
            events = self._judged(job)
        self._known[job.trial_id] = len(events)
        if events:
            log.warning("%s  %s: %s: %s", job.trial_id, events[-1].kind, events[-1].action, events[-1].detail)

    def _judged(self, job: Job) -> list[Event]:
        """Return the verdicts of this run; what the training itself notes on the timeline belongs to no run."""
        return [event for event in read_events(job.directory) if event.run == self._run]


def error_of(trial: Any) -> BaseException:
    """Return the error that Tune noted for its trial; one that cannot be read counts as a lost process."""
    try:
        with Path(trial.pickled_error_file).open("rb") as stream:
            error: BaseException = ray.cloudpickle.load(stream)
    except Exception:  # noqa: BLE001  whatever is wrong with the note, the process is gone
        return RayActorError()
    return error


class Ending(tune.Stopper, tune.Callback):
    """End the sweep when the user asks for it, when its budget is spent, or when no trial finds room for too long."""

    def __init__(self, interruption: Interruption, patience_s: float, budget: Budget) -> None:
        self._interruption, self._patience_s, self.budget = interruption, patience_s, budget
        self._last_running = time.monotonic()
        self._told = self.starved = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave everything out: Tune pickles this with the experiment's state."""
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no trial for what it reports."""
        return False

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Keep account of what has been spent and reached."""
        self.budget.heard(trial_id(trial), result)

    @property
    def cut_short(self) -> bool:
        """Tell whether trials have been asked to stop: they are not over."""
        return self._told

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Ask running trials to stop when the user wants it or the budget does; notice when none can be started."""
        running = [trial for trial in trials if trial.status == "RUNNING"]
        if running or not any(trial.status == "PENDING" for trial in trials):
            self._last_running = time.monotonic()
        self.starved = time.monotonic() - self._last_running > self._patience_s
        if (self._interruption.asked or self.budget.reason) and not self._told:
            self._told = True
            if not self._interruption.asked:
                log.warning("%s: the study ends here; what is left goes on with a larger budget", self.budget.reason)
            for trial in running:
                request_stop(trial.config["planned"]["directory"])

    def stop_all(self) -> bool:
        """Tell Tune to end: running trials have been asked to save their state, and are waited for."""
        return self._told or self.starved


def trial_id(trial: Any) -> str:
    """Return our id of one of Tune's trials."""
    return str(trial.config["planned"]["id"])


def start_ray(address: str | None) -> None:
    """Connect to the cluster at ``address``, or start a local Ray, unless that is done already.

    ``ray_environment.prepare`` has run before Ray was imported.

    Raises ``OperationError`` when there is no cluster at the address.
    """
    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        start_local_ray(quiet)
        return
    require_listener(address)
    try:
        ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, RayError) as error:
        raise OperationError(f"no Ray cluster can be reached at {address}: {one_line(error)}") from error


def start_local_ray(options: dict[str, Any]) -> None:
    """Start a Ray with all that this machine has; raise ``OperationError`` when one of its processes does not come up."""
    machine = this_machine()
    try:
        ray.init("local", num_cpus=machine.cpus, num_gpus=machine.gpus, include_dashboard=False, **options)
    except Exception as error:  # Ray raises the bare class here, for a process of its own that has died or is late
        raise OperationError(f"Ray does not start on this machine: {one_line(error)}; run again") from error


def one_line(error: BaseException) -> str:
    """Return the first line of an error's message, or its class where there is none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def require_listener(address: str) -> None:
    """Raise ``OperationError`` at once when nothing listens at ``host:port``: Ray itself would try for two minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return  # a name that Ray resolves, such as auto
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise OperationError(f"no Ray cluster can be reached at {address}: {error}") from error


def cluster() -> Machine:
    """Return the resources of the cluster that this process is connected to, as one machine with its nodes."""
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    nodes = tuple(Machine(cpus=int(one.get("CPU", 0)), gpus=int(one.get("GPU", 0))) for one in found)
    return Machine(cpus=sum(node.cpus for node in nodes), gpus=sum(node.gpus for node in nodes), nodes=nodes)


def stop_ray() -> None:
    """Leave the cluster, or end the local Ray with all its processes."""
    ray.shutdown()


def run_trials(
    plan: Plan,
    trials: Sequence[PlannedTrial],
    watchers: Sequence[Watcher],
    directory: Path,
    runner: type[TrialRunner] = TrialRunner,
    interruption: Interruption | None = None,
    loop: str = LOOP,
) -> None:
    """Run ``trials`` to their ends; how each ended stands in its directory.

    ``directory`` is Tune's own, and safe to delete afterwards. ``loop`` is the module by which hosts train. A trial that
    the scheduler stopped early, or that could not be started, gets its outcome here. Raises ``KeyboardInterrupt`` after an
    interruption: trials that ran have saved their state and stay unfinished.
    """
    interruption = interruption or Interruption()
    ending = Ending(interruption, plan.study.scaling.start_timeout_s, Budget(plan))
    trials = cohorts(plan, trials).trials  # an open search adds to it
    for trial in trials:
        clear_stop(trial.directory)
    with interruption.listening(), pool_for(plan, trials, directory, loop) as pool:
        results = make_tuner(plan, trials, watchers, directory, runner, ending, pool).fit()
    by_id = {Path(results[index].path).name: results[index] for index in range(len(results))}
    for trial in trials:
        if not ending.cut_short:
            settle(plan, trial, by_id.get(trial.id), ending)
        clear_stop(trial.directory)
    if interruption.asked:
        raise KeyboardInterrupt


def pool_for(
    plan: Plan, trials: Sequence[PlannedTrial], directory: Path, loop: str
) -> AbstractContextManager[Pool | None]:
    """Return the hosts that train ``trials``, ``None`` where each is trained alone by one process, the trial's actor."""
    found = cohorts(plan, trials)
    if found.size == 1 and plan.resources.workers == 1:
        return nullcontext()
    placement = plan.placement(role_of(trials))
    return Pool(terms_of(plan, role_of(trials), found.size, loop), placement, found.keys, directory)


def terms_of(plan: Plan, role: Role, size: int, loop: str) -> Terms:
    """Return how many hosts a sweep has, and whether trials come to them that are not known or not waited for yet."""
    search, hosts = plan.study.search, max(1, plan.resources.concurrent)
    proposes = role == "student" and is_open(search)
    pauses = role == "student" and isinstance(search.scheduler, HyperBand)
    proposals = hosts * size * len(search.seeds) if proposes else 0  # students of other seeds are apart
    return Terms(hosts, size, proposals=proposals, open_ended=proposes or pauses, loop=loop)


def role_of(trials: Sequence[PlannedTrial]) -> Role:
    """Return the role that all ``trials`` of a sweep have; an open search may begin without any."""
    return trials[0].role if trials else "student"


def make_tuner(
    plan: Plan,
    trials: list[PlannedTrial],
    watchers: Sequence[Watcher],
    directory: Path,
    runner: type[TrialRunner],
    ending: Ending,
    pool: Pool | None,
) -> tune.Tuner:
    """Return Ray's tuner for ``trials``; retries are bounded by each failure's budget, Ray's own count comes last."""
    run = uuid.uuid4().hex[:12]
    notifier = Notifier(watchers, plan, run, pool)
    orders = [order(plan, trial, run, pool, position) for position, trial in enumerate(trials)]
    search = open_search(plan, trials, notifier, lambda trial: order(plan, trial, run, pool, trials.index(trial)))
    return tune.Tuner(
        tune.with_resources(runner, RUNNER_SHARE if pool else request(plan, role_of(trials))),
        param_space={} if search else {"planned": tune.grid_search(orders)},
        tune_config=tune.TuneConfig(
            search_alg=search,
            num_samples=-1 if search else 1,
            scheduler=make_scheduler(plan, trials, notifier.expected),
            metric=SELECTION_METRIC,
            mode="max",
            max_concurrent_trials=most_at_once(plan, pool),
            reuse_actors=True,
            trial_dirname_creator=trial_id,
        ),
        run_config=tune.RunConfig(
            name=plan.fingerprint[:12],
            storage_path=str(directory),
            verbose=0,
            stop=ending,
            callbacks=[ending, notifier],
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=MOST_RESTARTS),
        ),
    )


def open_search(
    plan: Plan, trials: list[PlannedTrial], notifier: Notifier, order_for: Callable[[PlannedTrial], dict[str, Any]]
) -> Searcher | None:
    """Return what gives out ``trials`` and adds to them as results come in; ``None`` where all trials are known."""
    if not is_open(plan.study.search) or role_of(trials) == "teacher":
        return None

    def discovered(trial: PlannedTrial) -> None:
        trials.append(trial)
        notifier.planned(trial)

    return PlannedSearch(tuple(trials), Suggestions(plan), order_for, discovered, notifier.rests)


def most_at_once(plan: Plan, pool: Pool | None) -> int | None:
    """Return how many trials Tune may hold; HyperBand has to know all of them, and pauses those that wait."""
    if isinstance(plan.study.search.scheduler, HyperBand):
        return None
    return pool.places if pool else max(1, plan.resources.concurrent)


def order(plan: Plan, trial: PlannedTrial, run: str, pool: Pool | None, position: int) -> dict[str, str | int]:
    """Return what a runner is told: the trial, its directory, which run counts its failures, and who trains it."""
    told: dict[str, str | int] = {"id": trial.id, "directory": str(trial.directory), "run": run, "position": position}
    return told | {"job": plan.job(trial).model_dump_json(), "exchange": pool.name if pool else ""}


def request(plan: Plan, role: str) -> dict[str, float]:
    """Return what Tune must reserve for a trial that its actor trains."""
    return {"CPU": plan.resources.cpus(role), "GPU": plan.resources.gpus_per_worker}


def settle(plan: Plan, trial: PlannedTrial, result: Any, ending: Ending) -> None:
    """Write the outcome of a trial that did not write its own; ``result`` is Tune's, if Tune got as far as the trial."""
    if read_status(trial.directory) not in ("new", "unfinished"):
        return
    trial.directory.mkdir(parents=True, exist_ok=True)
    metrics = (result.metrics if result else None) or {}
    if result is not None and result.error is not None:
        report = redacted(str(result.error))
        (trial.directory / ERROR).write_text(report)
        write_outcome(trial.directory, Outcome("failed", f"crashed; last: {report.strip().splitlines()[-1]}"))
    elif metrics.get(FAILED_BECAUSE):
        write_outcome(trial.directory, Outcome("failed", metrics[FAILED_BECAUSE]))
    elif ending.starved and not metrics.get("done"):
        write_outcome(trial.directory, Outcome("failed", starvation(plan, trial)))
    else:
        history = read_history(trial.directory)  # Tune stops paused trials without a result
        reason = f"stopped by the scheduler after epoch {history[-1].epoch if history else 0}"
        write_outcome(trial.directory, Outcome("stopped", reason))


def starvation(plan: Plan, trial: PlannedTrial) -> str:
    """Say what a trial waited for in vain, and what the cluster has."""
    granted, limit = plan.resources, plan.study.scaling.start_timeout_s
    wanted = f"{granted.cpus(trial.role)} CPUs and {granted.gpus_per_worker:g} GPUs"
    return f"not started after {limit:g} s: waited for {wanted} on one machine; {what_there_is()}"
