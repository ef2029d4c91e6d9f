"""Commands use one store one after the other: locks, what killed ones leave behind, a Ray that dies under them, Ctrl-C."""

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchestrator.core import processes as machine
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.execution.leaks import find_leaks
from orchestrator.execution.ownership import single_writer_lock
from orchestrator.execution.ray_watch import watched_ray
from orchestrator.execution.run import _tidy
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.trial_requests import ask
from orchestrator.execution.tune import order
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from tests.simulation import files
from tests.simulation.kernel import Kernel, Process, Violation, active
from tests.simulation.primitives import THREADING, TIME, UUID
from tests.simulation.records import Records
from tests.simulation.seams import replace
from tests.simulation.training import PaperRunner, require_student
from tests.simulation.world import World
from tests.simulation.worlds.jobs import STUDY
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import read_status
from trainers.schema.request import Request
from trainers.schema.status import is_over
from trainers.schema.stop import clear_stop, request_stop

RAYS = ("gcs_server", "raylet", "agent")
NEEDED = ("gcs_server", "raylet")  # a command ends with these
SOON_S = 5.0  # for a command to end when its Ray has died
LATE_S = 40.0  # for which processes may outlive a killed driver
MARK, TITLE, PARENT = "mark", "title", "parent"


@cache
def plan_at(folder: Path) -> Plan:
    """Return the plan, which is the same in all schedules."""
    return plan_text(folder, STUDY, "search.seeds=[0, 1]")


class Command:
    """Hold one ``run``: its driver, the processes of its Ray, and the actors of its trials."""

    def __init__(self, world: "Runs", name: str, delay: float) -> None:
        self.world = world
        self.process = world.kernel.process(name)
        self.process.own[TITLE] = "stillhouse run"
        self.children: list[Process] = []
        self.interrupted = False
        self.task = world.kernel.spawn(self.process, self._run, delay)
        self.process.at_death.append(self._leave_children)

    def _leave_children(self) -> None:
        """Let the rest of a killed command notice late, as Ray's processes do."""
        for child in self.children:
            delay = self.world.chance.uniform(0.0, LATE_S)
            self.world.kernel.at(delay, lambda child=child: self.world.kernel.kill(child))  # type: ignore[misc]

    def _run(self) -> None:
        try:
            with self.world.store.only_run(), single_writer_lock(self.world.store):
                self._train()
        except OperationError as error:
            if "another stillhouse run" not in str(error):
                raise
            return
        except OSError:
            if self.world.trouble is None or not self.world.trouble.hit:
                raise
        left = [child.name for child in self.children if child.alive]
        if left:
            self.world.kernel.violate(f"{self.process.name} has ended, and {', '.join(left)} have not")

    def _child(self, title: str) -> Process:
        child = self.world.kernel.process(f"{self.process.name}.{title}")
        child.own.update({MARK: self.process.identity, TITLE: f"/ray/{title} --x", PARENT: self.process.pid})
        self.children.append(child)
        return child

    def _start_ray(self) -> list[Process]:
        found = [self._child(title) for title in RAYS]
        for process in found:
            self.world.kernel.spawn(process, lambda: TIME.sleep(100_000.0))
            if self.world.is_disturbed and self.world.likely(0.12):
                self.world.kernel.at(self.world.chance.uniform(0.0, 6.0), lambda it=process: self._lose(it))  # type: ignore[misc]
        return found

    def _lose(self, process: Process) -> None:
        """Kill one of Ray's processes; the command has to end soon."""
        if process.alive and self.process.alive and not self.task.done:
            self.world.kernel.kill(process)
            if process.name.endswith(NEEDED):
                self.world.kernel.at(SOON_S, self._require_end)

    def _require_end(self) -> None:
        if not self.task.done and self.process.alive and self.process.frozen_until < self.world.kernel.now - SOON_S:
            self.world.kernel.violate(f"{self.process.name} lives on without its Ray")

    def _train(self) -> None:
        plan = self.world.plan
        trials = [trial for trial in plan.trials if not is_over(read_status(trial.directory))]
        scratch = self.process.own["environment"].get("TMPDIR")  # where any library puts its files
        (Path(scratch or self.world.temporary) / f"mlflow-{self.process.pid}").touch()
        rays = self._start_ray()
        for trial in trials:
            clear_stop(trial.directory)
        with watched_ray():
            actors = [self._actor(plan, trial) for trial in trials]
            while any(actor.alive and not actor.own["done"] for actor in actors):
                TIME.sleep(0.3)
                if self.interrupted:
                    for trial in trials:
                        request_stop(trial.directory)
            while not all(ray.alive for ray in rays[:2]):  # Ray itself would wait for a minute
                TIME.sleep(60.0)
        for trial in trials:
            clear_stop(trial.directory)
        _tidy(Sweep(plan))

    def _actor(self, plan: Plan, trial: PlannedTrial) -> Process:
        child = self._child("actor")
        child.own["done"] = False
        told = order(plan, trial, self.process.name, None, 0)

        def train() -> None:
            runner = PaperRunner(told)
            while not runner.step()["done"]:
                pass
            child.own["done"] = True

        self.world.kernel.spawn(child, train, delay=0.2)
        if self.world.is_disturbed and self.world.likely(0.1):
            self.world.kill_later(child)
        return child


class Runs(World):
    """Start commands one after the other, sometimes two at once, kill them; a last one ends what is left."""

    disturbed_s, longest_s = 20.0, 1500.0

    @classmethod
    def install(cls) -> None:
        mine = {
            "lives": lives, "processes": table, "process": of_pid, "end": end, "this_process": this_process,
            "variable": variable, "is_numbered_here": lambda pid: True, "this_machine_id": lambda: "machine",
        }  # fmt: skip
        replace("orchestrator.execution.ownership", **mine, os=_System())
        replace(
            "orchestrator.execution.ray_watch",
            descendants=descendants, process=of_pid, this_process=this_process, os=_System(),
            threading=THREADING,
            sys=SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: False, flush=lambda: None)),
        )  # fmt: skip
        replace("orchestrator.execution.leaks", lives=lives, processes=table, os=_System())
        replace(
            "orchestrator.execution.scratch",
            os=_System(), tempfile=_Temporary(), uuid=UUID, socket_base=lambda: str(active().board.world.temporary),
        )  # fmt: skip

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        super().__init__(kernel, folder)
        self.plan, self.store = plan_at(folder), Store(folder / "store")
        self.temporary = folder / "tmp"
        kernel.board.world = self
        self.commands: list[Command] = []
        self.last: Command | None = None
        self.stopped: set[str] = set()
        self.records = Records(str(self.store.trials))

    @property
    def is_disturbed(self) -> bool:
        return self.kernel.now < self.disturbed_s

    def begin(self) -> None:
        self.store.trials.mkdir(parents=True)
        self.temporary.mkdir()
        files.watch(self.records)
        for number in range(self.chance.randint(1, 4)):
            self._start(f"run{number}", self.chance.uniform(0.0, self.disturbed_s / 2))
        if self.likely(0.1):
            self.trouble_disk(("slow",))
        if self.likely(0.3):
            self.kernel.spawn(self.kernel.process("user"), self._ask, delay=self.some_time())
        self.kernel.at(self.disturbed_s, self._begin_last)

    def _ask(self) -> None:
        """Stop a trial for good, as a user does; the last command ends the others."""
        trial = self.chance.choice(self.plan.trials)
        with suppress(OperationError, UserError):
            ask(trial, Request.STOP, self.store)
            self.stopped.add(trial.id)

    def _start(self, name: str, delay: float) -> None:
        command = Command(self, name, delay)
        self.commands.append(command)
        command.task.after.append(lambda: self._again(command))
        if self.likely(0.4):
            self.kernel.at(delay + self.chance.uniform(0.0, 5.0), lambda: self.kernel.kill(command.process))
        elif self.likely(0.3):
            self.kill_later(command.process)
        elif self.likely(0.4):
            self.kernel.at(delay + self.chance.uniform(0.0, 5.0), lambda: setattr(command, "interrupted", True))
        elif self.likely(0.3):
            self.freeze_later(command.process)

    def _again(self, command: Command) -> None:
        """Start a command that was killed again, as its user does."""
        if not command.process.alive and self.is_disturbed and len(self.commands) < 8:
            self._start(f"{command.process.name}'", self.chance.choice((0.0, 0.5, 3.0)))

    def _begin_last(self) -> None:
        if any(not command.task.done for command in self.commands):
            self.kernel.at(1.0, self._begin_last)
            return
        self.last = Command(self, "last", self.chance.choice((0.0, 1.0, 30.0)))

    def is_over(self) -> bool:
        return self.last is not None and self.last.task.done

    def check(self) -> None:
        for trial in self.plan.trials:
            status = read_status(trial.directory)
            if status == "finished":
                require_student(trial.directory, trial.id)
            elif status != "stopped" or trial.id not in self.stopped:
                raise Violation(f"{trial.id} is {status}")
            left = [path.name for path in trial.directory.iterdir() if is_left(path.name)]
            if left:
                raise Violation(f"{trial.id} is finished, and {left} are left")
        if left := [path.name for path in self.temporary.iterdir()]:
            raise Violation(f"temporary files {left} are left")
        if left := [path.name for path in self.store.root.glob("run.driver*")]:
            raise Violation(f"notes {left} are left")
        if found := find_leaks(self.store):
            raise Violation(f"leaks: {[leak.message for leak in found]}")


def is_left(name: str) -> bool:
    """Return whether a file of a finished trial is one that only training needs."""
    return name.startswith(("resume-", ".", "progress", "stop", "stacks"))


# ------------------------------------------------------------------------------------------------- the process table


def shown(process: Process) -> machine.Process:
    """Return a virtual process as the product describes one."""
    return machine.Process(process.pid, process.own.get(PARENT, 1), 1, process.own.get(TITLE, process.name))


def living() -> list[Process]:
    return [process for process in active().processes if process.alive]


def table() -> list[machine.Process]:
    return [shown(process) for process in living()]


def of_pid(pid: int) -> machine.Process | None:
    return next((shown(process) for process in living() if process.pid == pid), None)


def lives(identity: str) -> bool:
    return any(process.identity == identity for process in living())


def end(identity: str) -> None:
    for process in living():
        if process.identity == identity:
            active().kill(process)


def this_process() -> machine.Process:
    return shown(active().me)


def descendants(pid: int) -> list[machine.Process]:
    return [shown(process) for process in living() if process.own.get(PARENT) == pid]


def variable(pid: int, name: str) -> str | None:
    found: str | None = next((process.own.get(MARK) for process in living() if process.pid == pid), None)
    return found


class _System:
    """Stand for ``os`` where a process's number, end and environment are asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    @property
    def environ(self) -> dict[str, str]:
        found: dict[str, str] = active().me.own.setdefault("environment", {})
        return found

    def getpid(self) -> int:
        return active().me.pid if active().current is not None else 0

    def _exit(self, code: int) -> None:
        me = active().me
        if left := [process.name for process in living() if process.own.get(MARK) == me.identity]:
            active().violate(f"{me.name} has given up, and {', '.join(left)} go on")
        active().kill(me)


class _Temporary:
    """Stand for ``tempfile`` where a run makes its folder."""

    tempdir = None

    def gettempdir(self) -> str:
        return str(active().board.world.temporary)
