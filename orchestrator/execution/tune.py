"""Run planned trials with Ray Tune."""

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.core.redact import redacted
from orchestrator.execution.callbacks import Notifier, SweepStopper, Watcher, trial_id
from orchestrator.execution.claiming_search import ClaimingSearch, Releaser
from orchestrator.execution.claims import Claims
from orchestrator.execution.interruption import Interruption
from orchestrator.execution.places import Places, counted_aside
from orchestrator.execution.prefix_order import PrefixOrder
from orchestrator.execution.sweep import Sweep
from orchestrator.failures.kinds import MOST_RESTARTS
from orchestrator.plan.cohorts import Cohorts
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial, Role
from orchestrator.search.resuming import Restart, ResumingScheduler
from orchestrator.search.schedule import make_scheduler
from orchestrator.search.searcher import PlannedSearch
from orchestrator.study.schema import Waiting
from orchestrator.study.space import adds_trials
from orchestrator.worker_groups.capacity import RoomWait, waited_for
from orchestrator.worker_groups.entry_points import LOOP
from orchestrator.worker_groups.pool import Pool, Terms
from orchestrator.worker_groups.trainable import FAILED_BECAUSE, RUNNER_SHARE, TrialRunner
from trainers.schema.atomic import write_text
from trainers.schema.error_text import last_line_of
from trainers.schema.fence import FencedOff, fence_of
from trainers.schema.record import ERROR, SELECTION_METRIC, Outcome, read_history, read_status, write_outcome
from trainers.schema.request import Request, carry_out, read_request
from trainers.schema.status import has_ended
from trainers.schema.stop import clear_stop

log = logging.getLogger(__name__)
logging.getLogger("ray.tune.execution.experiment_state").setLevel(
    logging.CRITICAL
)  # nobody reads what Tune cannot save
ACTIVE = ("PENDING", "RUNNING")  # states of Tune's trials


def run_trials(
    sweep: Sweep,
    trials: Sequence[PlannedTrial],
    watchers: Sequence[Watcher],
    directory: Path,
    runner: type[TrialRunner] = TrialRunner,
    interruption: Interruption | None = None,
    loop: str = LOOP,
    room: Callable[[], int] | None = None,
    claims: Claims | None = None,
) -> None:
    """Run ``trials`` to their ends; how each ended stands in its directory.

    ``directory`` is Tune's own, and safe to delete afterwards. ``loop`` is the module by which hosts train. ``room``
    returns how many trials fit at once on a cluster whose machines come and go, ``None`` for a fixed one. With ``claims``
    other jobs train some of the trials, and this returns when all of them have ended. A trial that the scheduler stopped
    early, or that could not be started, gets its outcome here. Raises ``KeyboardInterrupt`` after an
    interruption: trials that ran have saved their state and stay unfinished.
    """
    plan, interruption = sweep.plan, interruption or Interruption()
    found = sweep.cohorts(trials)
    room_wait = RoomWait(plan.placement(role_of(found.trials)))
    ending = SweepStopper(interruption, room_wait, sweep.budget, alone=claims is None)
    trials, prefixes = found.trials, PrefixOrder(found.trials)  # an open search adds to the trials
    if claims is None:
        for trial in trials:
            clear_stop(trial.directory)
    try:
        with (
            interruption.listening(),
            counted_aside(room) as places,
            pool_for(plan, found, directory, loop, places, apart=claims is not None or prefixes.holds) as pool,
        ):
            results = make_tuner(
                sweep, trials, watchers, directory, runner, ending, pool, prefixes, places, claims
            ).fit()
        settle_all(sweep, trials if claims is None else claims.mine, results, ending)
    finally:
        if claims is not None:
            claims.close()
    if interruption.asked:
        raise KeyboardInterrupt


def settle_all(sweep: Sweep, trials: Sequence[PlannedTrial], results: tune.ResultGrid, ending: SweepStopper) -> None:
    """Write the outcomes of trials that did not write their own."""
    # Tune adds an underscore and letters to the folder of a trial that was started again; the last one counts.
    by_id = {Path(results[index].path).name.partition("_")[0]: results[index] for index in range(len(results))}
    for trial in trials:
        with suppress(FencedOff), sweep.unwritten.noting(trial.directory):  # another job may have the trial
            if not ending.cut_short:
                settle(sweep.plan, trial, end_of(by_id.get(trial.id)), ending)
            clear_stop(trial.directory)


def pool_for(
    plan: Plan,
    found: Cohorts,
    directory: Path,
    loop: str,
    room: Callable[[], int] | None = None,
    *,
    apart: bool = False,
) -> AbstractContextManager[Pool | None]:
    """Return the hosts that train cohorts, ``None`` where each trial is trained alone by one process, its actor.

    Trials that come ``apart`` from each other are not waited for together: other jobs train some, or they become due.
    """
    if found.size == 1 and plan.resources.workers == 1:
        return nullcontext()
    role = role_of(found.trials)
    terms = replace(terms_of(plan, role, found.size, loop), room=room)
    if apart:  # nobody knows beforehand which trials come when
        terms = replace(terms, proposals=terms.hosts * terms.size, open_ended=True)
    return Pool(terms, plan.placement(role), {} if apart else found.keys, directory)


def terms_of(plan: Plan, role: Role, size: int, loop: str) -> Terms:
    """Return how many hosts a sweep has, and whether trials come to them that are not known or not waited for yet."""
    search, hosts = plan.study.search, max(1, plan.resources.concurrent)
    proposes = role == "student" and adds_trials(search)
    pauses = role == "student" and isinstance(search.scheduler, Waiting)
    seeds = 1 if search.racing else len(search.seeds)  # students of other seeds are apart; a race adds one at a time
    proposals = hosts * size * seeds if proposes else 0
    return Terms(hosts, size, proposals=proposals, open_ended=proposes or pauses, loop=loop)


def role_of(trials: Sequence[PlannedTrial]) -> Role:
    """Return the role that all ``trials`` of a sweep have; an open search may begin without any."""
    return trials[0].role if trials else "student"


def make_tuner(
    sweep: Sweep,
    trials: list[PlannedTrial],
    watchers: Sequence[Watcher],
    directory: Path,
    runner: type[TrialRunner],
    ending: SweepStopper,
    pool: Pool | None,
    prefixes: PrefixOrder,
    room: Callable[[], int] | None = None,
    claims: Claims | None = None,
) -> tune.Tuner:
    """Return Ray's tuner for ``trials``; retries are bounded by each failure's budget, Ray's own count comes last."""
    plan, run = sweep.plan, uuid.uuid4().hex[:12]
    notifier = Notifier(watchers, plan, run, pool)
    positions = {trial.id: position for position, trial in enumerate(trials)}

    def order_for(trial: PlannedTrial) -> dict[str, str | int]:
        return order(plan, trial, run, pool, positions.setdefault(trial.id, len(positions)))

    search: PlannedSearch | ClaimingSearch
    callbacks: list[tune.Callback] = [ending, notifier]
    restart: Restart = never_again
    if claims is None:
        search = planned = search_for(sweep, trials, notifier, order_for, prefixes)
        restart = restarting(planned, notifier, lambda: most_at_once(plan, pool, room))
    else:
        search = ClaimingSearch(
            claims,
            trials,
            order_for,
            notifier.expected,
            notifier.set_idle,
            lambda: ending.is_interrupted,
            prefixes.is_due,
        )
        callbacks.append(Releaser(releasing(sweep, trials, claims, ending)))
    places = Places(lambda: most_at_once(plan, pool, room))
    return tune.Tuner(
        tune.with_resources(runner, RUNNER_SHARE if pool else request(plan, role_of(trials))),
        tune_config=tune.TuneConfig(
            search_alg=places.bound(search),
            num_samples=-1,
            scheduler=ResumingScheduler(make_scheduler(plan, trials, notifier.expected), restart),
            metric=SELECTION_METRIC,
            mode="max",
            reuse_actors=True,
            trial_dirname_creator=trial_id,
        ),
        run_config=tune.RunConfig(
            name=plan.fingerprint[:12],
            storage_path=str(directory),
            verbose=0,
            stop=ending,
            callbacks=[*callbacks, places],
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            failure_config=tune.FailureConfig(max_failures=MOST_RESTARTS),
        ),
    )


def search_for(
    sweep: Sweep,
    trials: list[PlannedTrial],
    notifier: Notifier,
    order_for: Callable[[PlannedTrial], dict[str, Any]],
    prefixes: PrefixOrder,
) -> PlannedSearch:
    """Return a searcher that hands out ``trials`` as they are due, and adds to them as results arrive.

    Tune's own grid would copy all of its points for each of them.
    """
    suggestions = None if role_of(trials) == "teacher" else sweep.suggestions
    holds = prefixes.holds

    def discovered(trial: PlannedTrial) -> None:
        trials.append(trial)
        notifier.planned(trial)

    def handed_out(trial: PlannedTrial) -> dict[str, Any]:
        if holds:  # else the hosts expect it from the beginning
            notifier.expected(trial.id)
        return order_for(trial)

    def rests(over: bool) -> None:
        if holds or suggestions is not None:  # else they also know that nobody else will come
            notifier.set_idle(over)

    compared = isinstance(sweep.plan.study.search.scheduler, Waiting) and suggestions is None
    return PlannedSearch(
        tuple(trials), suggestions, handed_out, discovered, rests, prefixes.is_due, all_at_once=compared
    )


def restarting(search: PlannedSearch, notifier: Notifier, most: Callable[[], int]) -> Restart:
    """Return a function that starts an ended trial again, if one more is within ``most``, and returns whether it did.

    The search hands it out again, unless it is over: then Tune gets it as a new trial, after all that it had.
    """

    def restart(tune_controller: Any, trial: Any, ending: Any) -> bool:
        if not search.over:
            search.give_again(trial_id(trial))
        elif has_room(tune_controller, most(), ending):
            tune_controller.add_trial(trial.reset())
        else:
            return False
        notifier.expected(trial_id(trial))
        return True

    return restart


def has_room(tune_controller: Any, most: int, ending: Any) -> bool:
    """Return whether Tune may get one trial more: its search, which keeps to the limit, has no other that is due."""
    active = [trial for trial in tune_controller.get_trials() if trial.status in ACTIVE and trial is not ending]
    return not most or (len(active) < most and bool(tune_controller.search_alg.is_finished()))


def most_at_once(plan: Plan, pool: Pool | None, room: Callable[[], int] | None = None) -> int:
    """Return how many trials Tune may hold now, 0 for any number.

    HyperBand and PASHA have to know all of them, and pause those that wait.
    """
    if isinstance(plan.study.search.scheduler, Waiting):
        return 0
    if pool is not None:
        return pool.places
    return max(1, room() if room else plan.resources.concurrent)


def never_again(tune_controller: Any, trial: Any, ending: Any) -> bool:
    """Start no trial again: a job that shares the store claims it anew, as any other job may."""
    return False


def releasing(
    sweep: Sweep, trials: Sequence[PlannedTrial], claims: Claims, ending: SweepStopper
) -> Callable[[str, dict[str, Any], Exception | None], None]:
    """Return a function that writes the outcome of a trial that did not write its own, and gives the trial back."""
    by_id = {trial.id: trial for trial in trials}

    def release(name: str, metrics: dict[str, Any], error: Exception | None) -> None:
        trial = by_id[name]
        with suppress(FencedOff), sweep.unwritten.noting(trial.directory):  # another job may have the trial
            if not ending.cut_short:
                settle(sweep.plan, trial, TrialEnd(metrics, error), ending)
        claims.end(trial)

    return release


def order(plan: Plan, trial: PlannedTrial, run: str, pool: Pool | None, position: int) -> dict[str, str | int]:
    """Return a runner's order: the trial, its directory, which run counts its failures, and who trains it."""
    told: dict[str, str | int] = {"id": trial.id, "directory": str(trial.directory), "run": run, "position": position}
    job = plan.job(trial).model_copy(update={"fence": str(fence_of(trial.directory) or "")})
    return told | {"job": job.model_dump_json(), "broker": pool.name if pool else ""}


def request(plan: Plan, role: str) -> dict[str, float]:
    """Return the resources that Tune must reserve for a trial that its actor trains."""
    return {"CPU": plan.resources.cpus(role), "GPU": plan.resources.gpus_per_worker}


@dataclass(frozen=True)
class TrialEnd:
    """Hold Tune's last result of a trial, none if it did not get as far, and the error by which Tune gave it up."""

    metrics: dict[str, Any]
    error: Exception | None


def end_of(result: tune.Result | None) -> TrialEnd:
    """Return how Tune's trial ended; ``None`` stands for one that Tune did not get to."""
    return TrialEnd({}, None) if result is None else TrialEnd(result.metrics or {}, result.error)


def settle(plan: Plan, trial: PlannedTrial, end: TrialEnd, ending: SweepStopper) -> None:
    """Write the outcome of a trial that did not write its own."""
    asked = read_request(trial.directory)
    if asked is Request.STOP:  # asked for too late for its process
        carry_out(trial.directory)
    if has_ended(read_status(trial.directory)) or asked in (Request.PAUSE, Request.RESUME):
        return
    trial.directory.mkdir(parents=True, exist_ok=True)
    metrics = end.metrics
    if end.error is not None:
        report = redacted(str(end.error))
        write_text(trial.directory / ERROR, report)
        write_outcome(trial.directory, Outcome("failed", f"crashed; last: {last_line_of(report)}"))
    elif metrics.get(FAILED_BECAUSE):
        write_outcome(trial.directory, Outcome("failed", metrics[FAILED_BECAUSE]))
    elif ending.starved and not metrics.get("done"):
        write_outcome(trial.directory, Outcome("failed", waited_for(plan.placement(trial.role))))
    else:
        history = read_history(trial.directory)  # Tune stops paused trials without a result
        reason = f"stopped by the scheduler after epoch {history[-1].epoch if history else 0}"
        write_outcome(trial.directory, Outcome("stopped", reason))
