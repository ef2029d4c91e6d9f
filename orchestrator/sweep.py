"""Run planned trials with Ray Tune."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

from orchestrator.errors import OperationError
from orchestrator.machine import Machine, this_machine
from orchestrator.plan import Plan, PlannedTrial
from orchestrator.redact import redacted
from orchestrator.study.schema import Asha, Study
from orchestrator.trial.runner import RUNNER_SHARE, TrialRunner
from trainers.spec.record import ERROR, SELECTION_METRIC, Outcome, read_status, write_outcome

CONNECT_TIMEOUT_S = 10
CRASHES_PER_TRIAL = 2  # a trial whose process dies starts again from its last record


class Watcher(Protocol):
    """Be told what happens to trials; must not raise or wait, for it is called inside Tune's loop."""

    def started(self, trial_id: str) -> None:
        """Hear that a trial has begun."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Hear of a record: epoch, metrics, and ``done``."""

    def ended(self, trial_id: str) -> None:
        """Hear that a trial will report no more."""


class Notifier(tune.Callback):
    """Pass Tune's events on to watchers, by our trial ids."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers

    def __getstate__(self) -> dict[str, Any]:
        """Leave the watchers out: Tune pickles its callbacks with the experiment's state."""
        return {"_watchers": ()}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell that a trial has started."""
        for watcher in self._watchers:
            watcher.started(trial.config["planned"]["id"])

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        """Tell what a trial has reported."""
        for watcher in self._watchers:
            watcher.reported(trial.config["planned"]["id"], result)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Tell that a trial has ended."""
        for watcher in self._watchers:
            watcher.ended(trial.config["planned"]["id"])


def start_ray(address: str | None) -> None:
    """Connect to the cluster at ``address``, or start a local Ray, unless that is done already.

    ``ray_environment.prepare`` has run before Ray was imported.

    Raises ``OperationError`` when there is no cluster at the address.
    """
    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        machine = this_machine()
        ray.init("local", num_cpus=machine.cpus, num_gpus=machine.gpus, include_dashboard=False, **quiet)
        return
    require_listener(address)
    try:
        ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, RayError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OperationError(f"no Ray cluster can be reached at {address}: {reason}") from error


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
    """Return the resources of the cluster that this process is connected to, as one machine."""
    found = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return Machine(cpus=int(found.get("CPU", 0)), gpus=int(found.get("GPU", 0)))


def stop_ray() -> None:
    """Leave the cluster, or end the local Ray with all its processes."""
    ray.shutdown()


def run_trials(
    plan: Plan,
    trials: Sequence[PlannedTrial],
    watchers: Sequence[Watcher],
    directory: Path,
    runner: type[TrialRunner] = TrialRunner,
) -> None:
    """Run ``trials`` to their ends; how each ended stands in its directory.

    ``directory`` is Tune's own, and safe to delete afterwards. A trial that the scheduler stopped early, or that crashed too often, gets its outcome here.
    """
    tuner = tune.Tuner(
        tune.with_resources(runner, request(plan, trials[0].role)),
        param_space={
            "planned": tune.grid_search(
                [{"id": trial.id, "job": plan.job(trial).model_dump_json()} for trial in trials]
            )
        },
        tune_config=tune.TuneConfig(
            scheduler=make_scheduler(plan.study, trials),
            metric=SELECTION_METRIC,
            mode="max",
            max_concurrent_trials=max(1, plan.resources.concurrent),
            reuse_actors=plan.resources.workers == 1,
            trial_dirname_creator=directory_name,
        ),
        run_config=tune.RunConfig(
            name=plan.fingerprint[:12],
            storage_path=str(directory),
            verbose=0,
            callbacks=[Notifier(watchers)],
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=CRASHES_PER_TRIAL),
        ),
    )
    results = tuner.fit()
    for index in range(len(results)):
        settle(results[index], {trial.id: trial for trial in trials})


def directory_name(trial: Any) -> str:
    """Name Tune's own folder of a trial by our id."""
    return str(trial.config["planned"]["id"])


def request(plan: Plan, role: str) -> dict[str, float]:
    """Return what Tune must reserve: everything for a one-worker trial, next to nothing where a worker group does."""
    granted = plan.resources
    if granted.workers > 1:
        return RUNNER_SHARE
    return {"CPU": granted.cpus(role), "GPU": granted.gpus_per_worker}


def make_scheduler(study: Study, trials: Sequence[PlannedTrial]) -> Any:
    """Return Tune's scheduler; ASHA counts epochs as we report them, not Tune's own iterations."""
    rule = study.search.scheduler
    if not isinstance(rule, Asha) or all(trial.role == "teacher" for trial in trials):
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    longest = max(trial.spec.schedule.length for trial in trials)  # in steps, if those are counted: never too short
    return ASHAScheduler(
        time_attr="epoch",
        grace_period=rule.grace_epochs,
        reduction_factor=rule.reduction_factor,
        max_t=max(longest, rule.grace_epochs),
    )


def settle(result: Any, trials: dict[str, PlannedTrial]) -> None:
    """Write the outcome of a trial that did not write its own."""
    trial = trials[result.config["planned"]["id"]]
    if read_status(trial.directory) not in ("new", "unfinished"):
        return
    trial.directory.mkdir(parents=True, exist_ok=True)
    if result.error is not None:
        report = redacted(str(result.error))
        (trial.directory / ERROR).write_text(report)
        reason = report.strip().splitlines()[-1]
        write_outcome(trial.directory, Outcome("failed", f"crashed {CRASHES_PER_TRIAL + 1} times; last: {reason}"))
        return
    epoch = (result.metrics or {}).get("epoch", 0)
    write_outcome(trial.directory, Outcome("stopped", f"stopped by the scheduler after epoch {epoch}"))
