"""Studies are submitted to a service: its queue and its keeper, a cluster that loses answers, drivers that die or fall silent."""

import json
from contextlib import suppress
from dataclasses import replace as changed
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from fastapi import HTTPException

from orchestrator.commands.job import beating
from orchestrator.core.errors import OperationError, UserError
from orchestrator.service.app import Service
from orchestrator.service.obstacle import Obstacle
from orchestrator.service.queue import Conflict, Queue
from orchestrator.service.reconcile_loop import MOST_LOSSES, ReconcileLoop
from orchestrator.service.server import run_loop
from orchestrator.service.transitions import ENDED, allowed
from orchestrator.submit.cluster import RayCluster
from orchestrator.submit.record import JobRecord, JobRecords
from orchestrator.submit.states import SubmissionState
from tests.simulation.kernel import Kernel, Process, Violation, active
from tests.simulation.network import Lost, Network
from tests.simulation.primitives import THREADING, TIME
from tests.simulation.seams import replace
from tests.simulation.world import World
from tests.unit.orchestrator.submit.job_requests import job_request

KEYS = tuple(f"stillhouse-{digit * 12}" for digit in "ab")
STOP_S = 60.0  # that Ray leaves a driver
STEP_S = 6.0  # of the keeper: fewer steps than in the product, for each opens the queue's file
RAY_VERSION = version("ray")
REFUSALS = (OperationError, UserError, Conflict, HTTPException, Lost)


class MortalQueue(Queue):
    """Let the service die within a transaction, before it is on disk and after."""

    def _transaction(self) -> Any:
        return _dying(super()._transaction())


class _dying:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __enter__(self) -> Any:
        return self._inner.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        if kind is None and (fatal := fatality()):
            return self._inner.__exit__(type(fatal), fatal, None)
        return self._inner.__exit__(kind, error, trace)


def fatality() -> BaseException | None:
    """Return what ends the present process here, if it dies here."""
    kernel = active()
    if kernel.current is None or not kernel.me.alive or kernel.me.dies_in is None:
        return None
    kernel.me.dies_in -= 5
    if kernel.me.dies_in > 0:
        return None
    try:
        kernel.kill(kernel.me)
    except BaseException as died:  # noqa: BLE001  it is raised where it belongs
        return died
    return None


class Driver:
    """Hold the process of one attempt, which has the store for itself, as ``orchestrator.commands.job`` does."""

    def __init__(self, world: "Submitted", attempt: str) -> None:
        self.world, self.attempt = world, attempt
        self.process = world.kernel.process(attempt, "node")
        self.status, self.asked = "PENDING", THREADING.Event()
        world.mute.add(attempt)
        task = world.kernel.spawn(self.process, self._begin, delay=world.chance.choice((0.5, 5.0, 20.0)))
        task.after.append(self._ended)
        if world.is_disturbed and world.likely(0.5):
            world.chance.choice((world.kill_later, world.freeze_long))(self.process)

    def _begin(self) -> None:
        with suppress(OSError):  # a record that cannot be written ends the driver with a traceback
            self._drive()

    def _drive(self) -> None:
        world, records = self.world, JobRecords(self.world.folder)
        self.status = "RUNNING"
        record = JobRecord(
            self.attempt, "tiny", SubmissionState.RUNNING, "its driver lives", "node", TIME.time(), TIME.time()
        )
        records.write(record)
        world.mute.discard(self.attempt)
        state, reason = SubmissionState.FAILED, "another stillhouse run is using the store"
        if world.holder is None or world.holder.process.alive is False:
            world.holder = self
            with beating(records, record):
                left = world.chance.choice((0.0, 20.0, 60.0, 150.0))
                stopped = self.asked.wait(left) if left else False
            if stopped:
                TIME.sleep(world.chance.choice((0.0, 5.0, 30.0)))  # trials save their states
            state = SubmissionState.STOPPED if stopped else SubmissionState.FINISHED
            reason = "stopped" if stopped else "all trials have ended"
            world.holder = None
            if state is SubmissionState.FINISHED:
                world.trained.add(self.attempt.rpartition("-")[0])
        records.write(changed(record, state=state, reason=reason, heard=TIME.time()))
        self.status = "STOPPED" if stopped_by(self) else "SUCCEEDED" if state is SubmissionState.FINISHED else "FAILED"

    def _ended(self) -> None:
        if self.world.holder is self:
            self.world.holder = None
        if self.status in ("PENDING", "RUNNING"):
            self.status = "STOPPED" if stopped_by(self) else "FAILED"

    def stop(self) -> None:
        """Ask it to end, and end it when it does not."""
        if self.process.alive and self.status in ("PENDING", "RUNNING"):
            self.asked.set()
            self.world.kernel.at(STOP_S, lambda: self.world.kernel.kill(self.process))


def stopped_by(driver: Driver) -> bool:
    """Return whether Ray was asked to stop a driver."""
    return bool(driver.asked.is_set())


class PaperRay:
    """Stand for a cluster's Jobs API, behind a network that loses answers."""

    def __init__(self, world: "Submitted", network: Network) -> None:
        self._world, self._network = world, network
        self.drivers: dict[str, Driver] = {}
        self.starts: list[str] = []

    def request(self, method: str, path: str, **content: Any) -> Any:
        try:
            return self._network.ask(lambda: self._answer(method, path.strip("/").split("/")[1:], content))
        except Lost as error:
            raise httpx.ReadTimeout(str(error)) from error

    def _answer(self, method: str, parts: list[str], content: dict[str, Any]) -> Any:
        if parts == ["version"]:
            return reply(200, {"ray_version": RAY_VERSION})
        if parts[0] == "packages":
            return reply(200, {})
        if method == "POST" and parts == ["jobs"]:
            return self._start(content["json"]["submission_id"])
        driver = self.drivers.get(parts[1])
        if driver is None:
            return reply(404, {})
        if parts[2:] == ["stop"]:
            driver.stop()
        return reply(200, {"status": driver.status, "message": ""})

    def _start(self, name: str) -> Any:
        if name in self.drivers:
            return reply(500, {"error": f"{name} already exists"})
        if name in self.starts:
            self._world.kernel.violate(f"{name} was started twice")
        self.starts.append(name)
        self._world.kernel.note(f"Ray starts {name}")
        self.drivers[name] = Driver(self._world, name)
        return reply(200, {})

    def lose_head(self) -> None:
        """Be a new head: jobs are forgotten, and their drivers end."""
        self._world.kernel.note("the head is lost")
        self._world.head_lost = True
        self.starts.clear()  # a driver that has written nothing leaves no trace: its attempt begins once more
        for driver in self.drivers.values():
            self._world.kernel.at(
                self._world.chance.uniform(0.0, 10.0), lambda process=driver.process: self._world.kernel.kill(process)
            )
        self.drivers = {}


def reply(status: int, content: Any) -> Any:
    """Return an answer as httpx has it."""
    text = json.dumps(content)
    return SimpleNamespace(
        status_code=status, is_success=status < 300, content=text.encode(), text=text, reason_phrase=str(status)
    )


class Submitted(World):
    """Let clients submit two studies, stop and resume them, while service, drivers and network fail."""

    disturbed_s, longest_s = 250.0, 4000.0

    @classmethod
    def install(cls) -> None:
        replace("orchestrator.service.server", STEP_S=STEP_S)
        replace("orchestrator.submit.cluster", version=lambda name: RAY_VERSION)  # which reads the package's files

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        super().__init__(kernel, folder)
        self.network = Network(kernel, kernel.process("head", "head"), self.chance.choice((0.0, 0.1, 0.4)))
        self.ray = PaperRay(self, self.network)
        self._over = self.head_lost = False
        self.holder: Driver | None = None
        self.trained: set[str] = set()
        self.accepted: set[str] = set()
        self.mute: set[str] = set()  # attempts whose drivers have said nothing yet
        self.stopped: set[str] = set()
        self.service: Service | None = None
        self.keeper: Process | None = None

    @property
    def is_disturbed(self) -> bool:
        return self.kernel.now < self.disturbed_s

    def freeze_long(self, process: Process) -> None:
        """Let a driver fall silent for longer than the service waits."""
        self.kernel.at(self.some_time(), lambda: self.kernel.freeze(process, self.chance.choice((30.0, 120.0, 200.0))))

    def begin(self) -> None:
        self._start_service()
        for key in KEYS[: self.chance.randint(1, 2)]:
            client = self.kernel.process(f"client of {key[-1]}", "laptop")
            self.kernel.spawn(client, lambda key=key: self._submit(key), delay=self.chance.uniform(0.0, 30.0))  # type: ignore[misc]
            if self.likely(0.4):
                self.kernel.spawn(client, lambda key=key: self._stop(key), delay=self.some_time())  # type: ignore[misc]
        if self.likely(0.2):
            self.kernel.at(self.some_time(), self.ray.lose_head)
        if self.likely(0.2):
            self.trouble_disk(("slow", "away"))
        self.kernel.at(self.disturbed_s, self._calm)

    def _calm(self) -> None:
        self.network.bad = 0.0
        self._look()

    def _start_service(self) -> None:
        self.service = None
        self.keeper = self.kernel.process("service", "head")
        if self.is_disturbed and self.likely(0.7):
            self.keeper.dies_in = int(self.chance.expovariate(1 / 60)) + 1
        task = self.kernel.spawn(self.keeper, self._serve, delay=self.chance.uniform(0.0, 10.0))
        task.after.append(self._start_service)

    def _serve(self) -> None:
        queue = MortalQueue(self.folder / "queue.db", longest=9)
        cluster: Any = RayCluster.__new__(RayCluster)
        cluster.address, cluster._client = "http://head", self.ray
        validator: Any = SimpleNamespace(job_request=lambda sent: sent.request)
        obstacle = Obstacle()
        self.service = Service(queue, validator, cluster, "token", threads=None, obstacle=obstacle)  # type: ignore[arg-type]
        run_loop(ReconcileLoop(queue, cluster, JobRecords(self.folder)), obstacle, THREADING.Event())

    def _call(self, call: Any) -> Any:
        """Let the service's process answer; raise ``Lost`` where it does not."""
        service, keeper = self.service, self.keeper
        if service is None or keeper is None or not keeper.alive:
            raise Lost("no service")
        answers: list[Any] = []

        def answer() -> None:
            try:
                answers.append(call(service))
            except REFUSALS as error:
                answers.append(error)

        task = self.kernel.spawn(keeper, answer)
        me = self.kernel.current
        task.after.append(lambda: self.kernel.wake(me))
        self.kernel.block()
        if not answers or self.likely(0.1):
            raise Lost("the service's answer is lost")
        if isinstance(answers[0], Exception):
            raise answers[0]
        return answers[0]

    def _submit(self, key: str) -> None:
        sent: Any = SimpleNamespace(request=job_request(key), resume=False)
        while True:
            try:
                self._call(lambda service: service.accept(sent))
                self.accepted.add(key)
                return
            except UserError:  # it was stopped meanwhile
                self.accepted.add(key)
                return
            except REFUSALS:
                TIME.sleep(5.0)

    def _stop(self, key: str) -> None:
        while key in self.accepted:
            try:
                self._call(lambda service: service.stop(key))
                self.stopped.add(key)
                return
            except HTTPException:
                return
            except REFUSALS:
                TIME.sleep(5.0)

    def entries(self) -> Any:
        return Queue(self.folder / "queue.db", longest=9).entries()

    def is_over(self) -> bool:
        return self._over

    def _look(self) -> None:
        """Look, now and then, whether all has ended."""
        runs = any(driver.process.alive and driver.status == "RUNNING" for driver in self.ray.drivers.values())
        self._over = not runs and all(entry.state in ENDED for entry in self.entries())
        self.kernel.at(10.0, self._look)

    def check(self) -> None:
        queue = Queue(self.folder / "queue.db", longest=9)
        found = {entry.key: entry for entry in queue.entries()}
        if lost := self.accepted - found.keys():
            raise Violation(f"{lost} was accepted, and the queue does not have it")
        for key, entry in found.items():
            self._check_events(key, queue)
            # A driver that dies before it has said anything looks like one that could not be started.
            gave_up = entry.state is SubmissionState.FAILED and entry.id in self.mute
            gave_up |= entry.state is SubmissionState.FAILED and entry.losses > MOST_LOSSES
            # A new head cannot end the silent driver of the one before: a known limit.
            gave_up |= self.head_lost and "is using the store" in entry.reason
            stopped = entry.state is SubmissionState.STOPPED and key in self.stopped | self._asked(queue, key)
            finished = entry.state is SubmissionState.FINISHED and key in self.trained
            if not (gave_up or stopped or finished):
                raise Violation(f"{key} has ended as {entry.state} ({entry.reason})")

    def _asked(self, queue: Queue, key: str) -> set[str]:
        """Return the key where the service has noted that it was asked to stop, though nobody heard the answer."""
        return {
            event.key for event in queue.events(key=key) if "asked to stop" in event.reason or "while" in event.reason
        }

    def _check_events(self, key: str, queue: Queue) -> None:
        before = None
        for event in queue.events(key=key):
            if event.before != before:
                raise Violation(f"{key}: {event.after} follows {event.before}, which was {before}")
            if before is not None and not allowed(SubmissionState(before), SubmissionState(event.after)):
                raise Violation(f"{key}: {before} became {event.after}")
            before = event.after
