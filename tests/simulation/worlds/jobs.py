"""Several jobs share a store: leases, claims, fences, failures and requests, with jobs that die, stand still and come back."""

import os
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray.tune.search import Searcher

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.leases import Leases
from orchestrator.core.store import Store
from orchestrator.execution.callbacks import Notifier
from orchestrator.execution.claiming_search import ClaimingSearch
from orchestrator.execution.claims import Claims
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.trial_requests import ask
from orchestrator.execution.tune import order, releasing
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial, status_of
from tests.simulation import files
from tests.simulation.kernel import Kernel, Task, Violation
from tests.simulation.primitives import TIME
from tests.simulation.records import Records
from tests.simulation.training import PaperRunner, require_student
from tests.simulation.world import World
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import read_outcome, read_status
from trainers.schema.request import Request, is_paused

STUDY = """
name: simulated
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random, width: 0.5}
method: {kind: none}
schedule: {epochs: 3, policy: {kind: constant}}
search: {seeds: [0, 1, 2]}
"""
LOOK_S = 0.6
TIMEOUT_S = 5.0
MISTAKES = (OperationError, UserError, OSError)


@cache
def plan_at(folder: Path) -> Plan:
    """Return the plan, which is the same in all schedules."""
    return plan_text(folder, STUDY)


class Actor:
    """Hold a process that trains one trial for a job; ``box`` has what it has reported and its job has not read."""

    def __init__(self, job: "Job", told: dict[str, Any]) -> None:
        world = job.world
        self.told, self.box = told, list[Any]()
        self.process = world.kernel.process(f"{job.process.name}.{next(world.numbers)}", job.process.machine)
        world.kernel.spawn(self.process, self._train, delay=0.1)
        if world.is_disturbed and world.likely(0.15):
            world.kill_later(self.process)

    def _train(self) -> None:
        try:
            runner = PaperRunner(self.told)
            while not self.box or not self.box[-1]["done"]:
                self.box.append(runner.step())
        except Exception as error:  # noqa: BLE001  as an actor sends it to its driver
            self.box.append(error)


class Job:
    """Hold one job that shares the store, as ``run --share`` does it with Ray Tune between."""

    def __init__(self, world: "Jobs", name: str, machine: str, places: int) -> None:
        self.world, self.places = world, places
        self.process = world.kernel.process(name, machine)
        self.actors: dict[str, Actor] = {}  # by Tune's ids
        self.task = world.kernel.spawn(self.process, self._run, delay=world.chance.uniform(0.0, 4.0))
        self.task.after.append(self._leave_actors)

    def _leave_actors(self) -> None:
        """Let actors notice late that their driver is gone; a user may do so at once, and stop one of its trials."""
        if self.actors and self.world.is_disturbed and self.world.asking is None and self.world.likely(0.3):
            told = self.world.chance.choice(list(self.actors.values())).told
            self.world.ask_soon(told["id"])
        for actor in self.actors.values():
            delay = self.world.chance.uniform(0.0, 8.0)
            self.world.kernel.at(delay, lambda process=actor.process: self.world.kernel.kill(process))  # type: ignore[misc]

    def _run(self) -> None:
        try:
            with self.world.store.shared_run() as leases:
                self._take_part(leases)
        except MISTAKES as error:
            self.world.gave_up(error)

    def _take_part(self, leases: Leases) -> None:
        plan, run = self.world.plan, f"run of {self.process.name}"
        claims, sweep = Claims(leases, plan), Sweep(plan)
        ending: Any = SimpleNamespace(cut_short=False, starved=False)
        self._release = releasing(sweep, plan.trials, claims, ending)
        self._notifier = Notifier((), plan, run, None)
        self._search = ClaimingSearch(
            claims, plan.trials, lambda trial: order(plan, trial, run, None, 0),
            lambda trial: None, lambda over: None, lambda: False,
        )  # fmt: skip
        try:
            while not self._step():
                TIME.sleep(LOOK_S)
        finally:
            claims.close()

    def _step(self) -> bool:
        """Start what there is a place for, and look at what has come; return whether all trials have ended."""
        given: Any = None
        while len(self.actors) < self.places:
            tune_id = f"tune-{next(self.world.numbers)}"
            given = self._search.suggest(tune_id)
            if not isinstance(given, dict):
                break
            self.actors[tune_id] = Actor(self, given["planned"])
        for tune_id, actor in list(self.actors.items()):
            self._look(tune_id, actor)
        return given == Searcher.FINISHED and not self.actors

    def _look(self, tune_id: str, actor: Actor) -> None:
        last = actor.box[-1] if actor.box else None
        if isinstance(last, dict) and last["done"]:
            self._end(tune_id, actor, last, None)
        elif isinstance(last, Exception) or not actor.process.alive:
            error = last if isinstance(last, Exception) else RuntimeError("the actor is gone")
            self._recover(tune_id, actor, error)

    def _recover(self, tune_id: str, actor: Actor, error: Exception) -> None:
        gone = SimpleNamespace(config={"planned": actor.told}, pickled_error_file="/nowhere", max_failures=9)
        self._notifier.on_trial_recover(0, [], gone)
        if gone.max_failures:
            self.actors[tune_id] = Actor(self, actor.told)
        else:
            self._end(tune_id, actor, {}, error)

    def _end(self, tune_id: str, actor: Actor, result: dict[str, Any], error: Exception | None) -> None:
        self._release(actor.told["id"], result, error)
        self._search.on_trial_complete(tune_id, result, error is not None)
        del self.actors[tune_id]


class Jobs(World):
    """Let one to three jobs train three trials together; a last one, which nothing disturbs, ends what is left."""

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        super().__init__(kernel, folder)
        self.plan, self.store = plan_at(folder), Store(folder / "store")
        self.numbers = count()
        self.last: Job | None = None
        self.asking: Task | None = None
        self.jobs: list[Job] = []
        self.records = Records(str(self.store.trials))

    @property
    def is_disturbed(self) -> bool:
        return self.kernel.now < self.disturbed_s

    def begin(self) -> None:
        os.environ["STILLHOUSE_LEASE_TIMEOUT"] = str(TIMEOUT_S)
        self.store.trials.mkdir(parents=True)
        self.store.leases.mkdir()
        files.watch(self.records)
        machines = ["one", self.chance.choice(("one", "two")), "three"]
        self.jobs = [
            Job(self, f"job{n}", machine, self.chance.randint(1, 2))
            for n, machine in enumerate(machines[: self.chance.randint(1, 3)])
        ]
        for job in self.jobs:
            self._disturb(job)
        if self.likely(0.3):
            self.trouble_disk()
        if self.likely(0.4):
            user = self.kernel.process("user", "one")
            self.asking = self.kernel.spawn(user, self._ask, delay=self.some_time())
        self.kernel.at(self.disturbed_s, self._begin_last)

    def _disturb(self, job: Job) -> None:
        if self.likely(0.4):
            self.kill_later(job.process)
        elif self.likely(0.6):
            seconds = self.chance.choice((1.0, 6.0, 15.0, 15.0))
            self.kernel.at(self.some_time(), lambda: self._suspend(job, seconds))

    def _suspend(self, job: Job, seconds: float) -> None:
        """Let a job and its actors stand still, as a suspended machine does."""
        for process in (job.process, *(actor.process for actor in job.actors.values())):
            self.kernel.freeze(process, seconds)

    def ask_soon(self, trial_id: str) -> None:
        """Let a user stop a trial for good."""

        def stop() -> None:
            with suppress(*MISTAKES):
                ask(next(trial for trial in self.plan.trials if trial.id == trial_id), Request.STOP, self.store)

        user = self.kernel.process("user", "one")
        self.asking = self.kernel.spawn(user, stop, delay=self.chance.uniform(0.0, 1.0))

    def _ask(self) -> None:
        for _ in range(self.chance.randint(1, 3)):
            trial = self.chance.choice(self.plan.trials)
            with suppress(*MISTAKES):
                ask(trial, self.chance.choice(list(Request)), self.store)
            TIME.sleep(self.chance.uniform(0.0, 5.0))

    def _begin_last(self) -> None:
        is_full = self.trouble is not None and self.kernel.now < self.trouble.end
        if is_full or (self.asking is not None and not self.asking.done):
            self.kernel.at(1.0, self._begin_last)
            return

        def resume() -> None:
            for trial in self.plan.trials:
                if is_paused(trial.directory):
                    ask(trial, Request.RESUME, self.store)
            self.last = Job(self, "last", "four", 2)

        self.kernel.spawn(self.kernel.process("user again", "four"), resume, delay=self.chance.uniform(0.0, 30.0))

    def gave_up(self, error: Exception) -> None:
        """Accept that a job ends because of the disk; nothing else may end one."""
        self.kernel.note(f"{self.kernel.me.name} gives up: {error}")
        if self.trouble is None or not self.trouble.hit:
            raise error

    def is_over(self) -> bool:
        return self.last is not None and self.last.task.done and all(job.task.done for job in self.jobs)

    def check(self) -> None:
        for trial in self.plan.trials:
            self._check(trial)
        left = [path.name for path in self.store.leases.glob("[!.j]*") if len(list(path.iterdir())) != 1]
        if left:
            raise Violation(f"leases {left} have not one child")

    def _check(self, trial: PlannedTrial) -> None:
        status = read_status(trial.directory)
        if status == "finished":
            require_student(trial.directory, trial.id)
            if self.records.epochs.get(trial.id) != 3:
                raise Violation(f"{trial.id} is finished with {self.records.epochs.get(trial.id)} epochs")
        elif status == "failed":
            outcome = read_outcome(trial.directory)
            if self.trouble is None or not self.trouble.hit:
                raise Violation(f"{trial.id} has failed: {outcome}")
        elif status != "stopped":
            raise Violation(f"{trial.id} is {status_of(trial.directory)} at the end")
