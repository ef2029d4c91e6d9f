"""A sweep with cohorts: broker, pool, hosts, worker groups and trials' actors, which die while messages are under way."""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from orchestrator.core.store import Store
from orchestrator.execution.callbacks import Notifier
from orchestrator.execution.tune import order
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.worker_groups import host
from orchestrator.worker_groups.capacity import RoomWait
from orchestrator.worker_groups.placement_groups import PREFIX, new_name
from orchestrator.worker_groups.pool import Pool, Terms
from tests.simulation import files, virtual_ray
from tests.simulation.kernel import Kernel, Process, Task, Violation, active
from tests.simulation.primitives import THREADING, TIME
from tests.simulation.records import Records
from tests.simulation.seams import replace
from tests.simulation.training import EPOCHS, STEPS, PaperRunner, require_student, score
from tests.simulation.world import World
from tests.simulation.worlds.jobs import STUDY
from tests.unit.orchestrator.planning import plan_text
from trainers.schema import Placement
from trainers.schema.record import Outcome, read_outcome, read_status, write_outcome
from trainers.schema.sharing import stream_key
from trainers.schema.status import has_ended

LOOP = "tests.simulation.cohort_loop"
STOPPED_BELOW, PAUSED_ABOVE = 0.3, 0.8  # by the scores of a trial's first epoch
RESTARTS = 40


@cache
def plan_at(folder: Path) -> Plan:
    """Return the plan, which is the same in all schedules; all trials share a stream."""
    return plan_text(
        folder, STUDY, "search.seeds=[0]", "search.space={schedule.lr: [0.001, 0.002, 0.003, 0.004]}",
        "search.cohort=2", "scaling.workers=1",
    )  # fmt: skip


class WorkerGroupLost(RuntimeError):
    """Stand for Ray Train's report of a worker that died."""


WorkerGroupLost.__name__ = "WorkerHealthCheckFailedError"  # by which the product knows it


class Trainer:
    """Stand for Ray Train's trainer: its controller asks for places, by the name that the product gives, and runs workers."""

    def __init__(self, config: dict[str, Any], placement: Placement, folder: str) -> None:
        self._config, self._placement = config, placement

    def fit(self) -> None:
        kernel, ray = active(), virtual_ray.present()
        owner = kernel.me
        group = virtual_ray.Group(ray, new_name(self._config["host"]), self._placement.workers)
        group.created.wait()
        workers = [kernel.process(f"{owner.name}.worker{rank}") for rank in range(self._placement.workers)]
        group.processes += workers
        owner.at_death.append(lambda: kill_late(kernel, workers))
        if kernel.board.world.is_disturbed and kernel.chance.random() < 0.2:
            kernel.board.world.kill_later(kernel.chance.choice(workers))
        task = kernel.spawn(workers[0], lambda: self._work(group))
        while not task.done and all(worker.alive for worker in workers):
            TIME.sleep(0.2)
        lost = not all(worker.alive for worker in workers)
        for worker in workers:
            kernel.kill(worker)
        group.remove()
        if lost:
            raise WorkerGroupLost("a worker died")
        if task.result is not None:
            raise task.result

    def _work(self, group: virtual_ray.Group) -> Exception | None:
        from trainers import worker

        active().me.own["group"] = group
        try:
            worker.train_worker(self._config)
        except Exception as error:  # noqa: BLE001  the controller raises it
            return error
        return None


def kill_late(kernel: Kernel, processes: list[Process]) -> None:
    """Let children end some time after their parent."""
    delay = kernel.chance.choice((0.0, 0.5, 3.0))
    for process in processes:
        kernel.at(delay, lambda process=process: kernel.kill(process))  # type: ignore[misc]


class Running:
    """Hold one of Tune's trials: its actor steps when it is told to."""

    def __init__(self, sweep: "Tune", planned: PlannedTrial, told: dict[str, Any]) -> None:
        self.sweep, self.planned, self.told = sweep, planned, told
        self.results: list[Any] = []
        self.status, self.seen = "PENDING", 0  # records of this attempt that Tune has seen
        self.config = {"planned": told}
        self.pickled_error_file, self.max_failures = "/nowhere", RESTARTS
        self.process: Process | None = None

    def start(self) -> None:
        kernel = self.sweep.kernel
        self.status, self.seen, self.results = "RUNNING", 0, []
        self._go, self._leave = THREADING.Event(), False
        self.process = kernel.process(f"{self.planned.id[:4]}.{next(self.sweep.numbers)}")
        kernel.spawn(self.process, self._run, delay=kernel.chance.choice((0.1, 0.5, 3.0)))
        if self.sweep.world.is_disturbed and kernel.chance.random() < 0.15:
            self.sweep.world.kill_later(self.process)

    def _run(self) -> None:
        results = self.results
        try:
            runner = PaperRunner(self.told)
            while not self._leave:
                results.append(runner.step())
                if results[-1]["done"]:
                    break
                self._go.wait()
                self._go.clear()
            runner.cleanup()
        except Exception as error:  # noqa: BLE001  Tune hears of it
            results.append(error)

    def go_on(self) -> None:
        self._go.set()

    def leave(self) -> None:
        """Let the actor clean up; Tune kills it when that takes long."""
        self._leave = True
        self._go.set()
        process = self.process
        self.sweep.kernel.at(5.0, lambda: self.sweep.kernel.kill(process))


class Tune:
    """Stand for Ray Tune's loop: it starts trials as there is room, hears their results, and lets the scheduler decide."""

    def __init__(self, world: "Hosts", plan: Plan) -> None:
        self.world, self.kernel, self.plan = world, world.kernel, plan
        self.numbers = count()
        self.reported: list[tuple[str, int]] = []
        self.paused: list[Running] = []

    def run(self) -> None:
        plan, world = self.plan, self.world
        keys = {trial.id: stream_key(plan.job(trial)) for trial in plan.students}
        terms = Terms(world.hosts, 2, open_ended=True, loop=LOOP)
        placement = plan.placement("student").model_copy(update={"workers": world.workers, "start_timeout_s": 60.0})
        with Pool(terms, placement, keys, world.folder) as pool:
            self._notifier, self._pool = Notifier((), plan, "run", pool), pool
            self._waiting = [
                Running(self, trial, order(plan, trial, "run", pool, position))
                for position, trial in enumerate(plan.students)
            ]
            self._running: list[Running] = []
            while self._waiting or self._running or self.paused:
                self._look()
                TIME.sleep(0.3)

    def _look(self) -> None:
        while self._waiting and len(self._running) < self._pool.places:
            self._begin(self._waiting.pop(0))
        if not self._running and not self._waiting:
            self._resume()
        for one in list(self._running):
            if one.results:
                self._hear(one, one.results.pop(0))
            elif one.process is not None and not one.process.alive:
                self._recover(one)

    def _begin(self, one: Running) -> None:
        self._running.append(one)
        self._notifier.on_trial_start(0, [], one)
        one.start()

    def _resume(self) -> None:
        for one in self.paused:
            self._notifier.expected(one.planned.id)
        self._waiting, self.paused = self.paused, []
        if not self._waiting:
            self._notifier.set_idle(True)

    def _hear(self, one: Running, result: Any) -> None:
        self.kernel.note(f"Tune hears of {one.planned.id}: {result}")
        if isinstance(result, Exception):
            self._recover(one)
            return
        if result["epoch"]:
            self._note(one, result)
        decision = "STOP" if result["done"] else self._decide(one, result)
        if decision == "CONTINUE":
            one.go_on()
            return
        one.leave()
        self._running.remove(one)
        if decision == "PAUSE":
            self.paused.append(one)
        else:
            self._complete(one, result)

    def _note(self, one: Running, result: dict[str, Any]) -> None:
        one.seen += 1
        if result["epoch"] != one.seen:
            self.kernel.violate(f"{one.planned.id}: epoch {result['epoch']} was reported in the place of {one.seen}")
        if (one.planned.id, one.seen) not in self.reported:
            self.reported.append((one.planned.id, one.seen))

    def _decide(self, one: Running, result: dict[str, Any]) -> str:
        first = score(one.planned.id, 1)
        if result["epoch"] == 1 and first < STOPPED_BELOW:
            self.world.require_no_more(one.planned, 1)
            return "STOP"
        if result["epoch"] == 2 and first > PAUSED_ABOVE and one.told.get("again") is None:
            one.told = {**one.told, "again": 1}
            self.world.require_no_more(one.planned, 2)
            return "PAUSE"
        return "CONTINUE"

    def _complete(self, one: Running, result: dict[str, Any]) -> None:
        self._notifier.on_trial_complete(0, [], one)
        with suppress(OSError):  # the next run writes it
            if not has_ended(read_status(one.planned.directory)):
                write_outcome(one.planned.directory, Outcome("stopped"))

    def _recover(self, one: Running) -> None:
        self._running.remove(one)
        self._notifier.on_trial_recover(0, [], one)
        if one.max_failures:
            self._begin(one)
        else:
            self._notifier.on_trial_error(0, [], one)


class Hosts(World):
    """Run four trials in cohorts of two, on one or two hosts of one or two workers."""

    disturbed_s, longest_s = 30.0, 2500.0

    @classmethod
    def install(cls) -> None:
        for module in ("broker", "host", "pool", "records", "capacity"):
            replace(f"orchestrator.worker_groups.{module}", ray=virtual_ray.RAY)
        replace("orchestrator.worker_groups.broker", asyncio=virtual_ray.ASYNCIO, LOOK_EVERY_S=2.0)
        kind = host.Host.__ray_metadata__.modified_class  # type: ignore[attr-defined]
        replace("orchestrator.worker_groups.host", Host=virtual_ray.ActorKind(kind), end=lambda identity: None)
        replace("orchestrator.worker_groups.host", remove_placement_group=lambda group: group.remove())
        replace("orchestrator.worker_groups.ray_trainer", make_trainer=Trainer)
        replace(
            "orchestrator.worker_groups.placement_groups",
            placement_group_table=table, get_placement_group=lambda name: virtual_ray.present().groups[name],
            remove_placement_group=lambda group: group.remove(),
        )  # fmt: skip
        replace(
            "orchestrator.worker_groups.pool",
            LOOK_EVERY_S=1.0, RoomWait=lambda placement: RoomWait(placement, lambda: False, TIME.monotonic),
        )  # fmt: skip
        replace("orchestrator.worker_groups.capacity", what_there_is=lambda: "")
        replace(
            "trainers.worker",
            ray=virtual_ray.RAY, get_current_placement_group=lambda: active().me.own.get("group"),
            leaves=lambda: False, LOOK_EVERY_S=20.0, lean_imports=lambda: _Nothing(),
        )  # fmt: skip

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        super().__init__(kernel, folder)
        self.plan, self.store = plan_at(folder), Store(folder / "store")
        self.hosts, self.workers = self.chance.randint(1, 3), self.chance.randint(1, 2)
        kernel.board.ray = virtual_ray.VirtualRay(self.hosts * self.workers)
        kernel.board.world = self
        self.records = Records(str(self.store.trials))
        self.task: Task | None = None

    @property
    def is_disturbed(self) -> bool:
        return self.kernel.now < self.disturbed_s

    def begin(self) -> None:
        self.store.trials.mkdir(parents=True)
        files.watch(self.records)
        self.tune = Tune(self, self.plan)
        self.task = self.kernel.spawn(self.kernel.process("driver"), self.tune.run)
        for _ in range(self.chance.choice((0, 1, 1, 2))):
            self.kernel.at(self.some_time(), self._kill_an_actor)
        if self.likely(0.15):
            self.trouble_disk(("slow", "away"))

    def _kill_an_actor(self) -> None:
        """Kill the broker, or a host."""
        actors = [one for one in virtual_ray.present().named.values() if one.actor.process is not None]
        chosen: Callable[[], None] = lambda: None  # noqa: E731
        alive = [one.actor.process for one in actors if one.actor.process is not None and one.actor.process.alive]
        if alive:
            process = self.chance.choice(alive)
            chosen = lambda: self.kernel.kill(process)  # noqa: E731
        chosen()

    def require_no_more(self, trial: PlannedTrial, epoch: int) -> None:
        """Note a violation where a trial has begun an epoch before the one before it was judged."""
        begun = self.kernel.board.begun.get(str(trial.directory), 0)
        if begun > epoch * STEPS:
            self.kernel.violate(f"{trial.id} is at step {begun}, and was judged at epoch {epoch} just now")

    def is_over(self) -> bool:
        return self.task is not None and self.task.done

    def check(self) -> None:
        for trial in self.plan.students:
            self._check(trial)

    def _check(self, trial: PlannedTrial) -> None:
        status, epochs = read_status(trial.directory), self.records.epochs.get(trial.id)
        if status == "failed":
            outcome = read_outcome(trial.directory)
            if self.trouble is None or not self.trouble.hit:
                raise Violation(f"{trial.id} has failed: {outcome}")
        elif score(trial.id, 1) < STOPPED_BELOW:
            if status == "unfinished" and self.trouble is not None and self.trouble.hit:
                return
            if (status, epochs) != ("stopped", 1):
                raise Violation(f"{trial.id} is {status} after {epochs} epochs, undisturbed stopped after 1")
        elif (status, epochs) != ("finished", EPOCHS):
            raise Violation(f"{trial.id} is {status} after {epochs} epochs")
        else:
            require_student(trial.directory, trial.id)


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def table() -> dict[str, dict[str, Any]]:
    """Stand for Ray's table of placement groups."""
    found = virtual_ray.present().groups
    return {name: {"name": name, "state": group.state} for name, group in found.items() if name.startswith(PREFIX)}
