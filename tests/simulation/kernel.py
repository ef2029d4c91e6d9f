"""Run virtual processes in one thread, on a virtual clock, in an order that follows from one number.

A task is a greenlet: the product's own blocking code runs in it unchanged, and gives way to others wherever it waits, and at
operations on files and messages that chance picks. Nothing runs at the same time, so a schedule can be repeated.
"""

import heapq
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]  # it brings no types

MOST_EVENTS = 200_000  # of one schedule; none that ends has as many


class Died(BaseException):
    """Stand for the end of a process: it unwinds its stack, and can do nothing any more."""


class Violation(Exception):
    """Report an invariant that does not hold."""


@dataclass
class Process:
    """Hold a virtual process. ``own`` has what stands for its memory: values of modules that are one for each process."""

    name: str
    machine: str = "machine"
    pid: int = 0
    alive: bool = True
    frozen_until: float = 0.0
    dies_in: int | None = None  # operations until it dies
    own: dict[str, Any] = field(default_factory=dict)
    tasks: list["Task"] = field(default_factory=list)
    at_death: list[Callable[[], None]] = field(default_factory=list)  # what others do when it dies

    @property
    def identity(self) -> str:
        """Return its identity as ``orchestrator.core.processes`` writes it."""
        return f"{self.pid}@1"


class Task:
    """Hold one thread of a process."""

    def __init__(self, kernel: "Kernel", process: Process, work: Callable[[], object]) -> None:
        self.process, self.number, self.done = process, 0, False
        self.woken = False
        self.error: Exception | None = None
        self.result: Any = None
        self.after: list[Callable[[], None]] = []  # what its end wakes
        self._work = work
        self.greenlet = greenlet(self._run, parent=kernel.hub)

    def _run(self) -> None:
        try:
            if self.process.alive:
                self.result = self._work()
        except Died:
            pass
        except Exception as error:  # noqa: BLE001  the kernel raises it
            self.error = error
        self.done = True


class Kernel:
    """Hold the clock, the draws and the tasks of one schedule; all follows from ``number`` and the code under test."""

    def __init__(self, number: int, root: str) -> None:
        self.number, self.root = number, root
        self.chance = random.Random(number)
        self.now, self.digest, self.operations = 0.0, 0, 0
        self.hub = getcurrent()
        self.current: Task | None = None
        self.processes: list[Process] = []
        self.failure: Exception | None = None
        self.switch_every = self.chance.choice((2, 10, 50))  # operations, on the mean
        self.disk: Callable[[str, bool], None] = lambda operation, writes: None
        self._until_switch = self._gap()
        self._heap: list[tuple[float, float, int, Task | Callable[[], None], int]] = []
        self._order = count()
        self._events, self._is_closed = 0, False
        self._names = random.Random(f"names {number}")

    # ---------------------------------------------------------------------------------------------------- processes

    def process(self, name: str, machine: str = "machine") -> Process:
        """Make a process."""
        made = Process(name, machine, len(self.processes) + 2)
        self.processes.append(made)
        return made

    def spawn(self, process: Process, work: Callable[[], object], delay: float = 0.0) -> Task:
        """Start a task of a process."""
        task = Task(self, process, work)
        process.tasks.append(task)
        if not self._is_closed:
            self._schedule(task, delay)
        return task

    def kill(self, process: Process) -> None:
        """End a process at once; one that kills itself does not return, and a dead one kills nobody."""
        if self.current is not None and not self.current.process.alive:
            raise Died
        if process.alive:
            self.note(f"{process.name} dies")
            process.alive = False
            for task in process.tasks:
                if not task.done and task is not self.current:
                    self._schedule(task, 0.0)
            for action in process.at_death:
                action()
        if self.current is not None and self.current.process is process:
            raise Died

    def freeze(self, process: Process, seconds: float) -> None:
        """Stop a process, as SIGSTOP does, for so long."""
        self.note(f"{process.name} stands still for {seconds:.0f} s")
        process.frozen_until = max(process.frozen_until, self.now + seconds)

    def at(self, delay: float, action: Callable[[], None]) -> None:
        """Do something after a while, in no process; it must not wait."""
        heapq.heappush(self._heap, (self.now + delay, self.chance.random(), next(self._order), action, 0))

    def token(self, digits: int = 32) -> str:
        """Draw a name, independently of all other draws."""
        return f"{self._names.getrandbits(4 * digits):0{digits}x}"

    # --------------------------------------------------------------------------------------------- what tasks call

    @property
    def me(self) -> Process:
        """Return the process of the present task."""
        assert self.current is not None
        return self.current.process

    def pause(self, seconds: float) -> None:
        """Let so much time pass."""
        task = self._living()
        self._schedule(task, seconds)
        self._give_way(task)

    def block(self, seconds: float | None = None) -> bool:
        """Wait for ``wake``, or so long; return whether it came."""
        task = self._living()
        task.number += 1
        task.woken = False
        if seconds is not None:
            heapq.heappush(
                self._heap, (self.now + max(0.0, seconds), self.chance.random(), next(self._order), task, task.number)
            )
        self._give_way(task)
        return task.woken

    def wake(self, task: Task) -> None:
        """End a task's wait."""
        if not task.done:
            task.woken = True
            self._schedule(task, 0.0)

    def seam(self, operation: str, *, writes: bool = False) -> None:
        """Stand before an operation that others see: the process may die here, be overtaken, or meet a fault of its disk."""
        task = self._living()
        self.operations += 1
        self.digest = zlib.crc32(f"{self.now:.3f} {task.process.name} {operation}".encode(), self.digest)
        process = task.process
        if process.dies_in is not None:
            process.dies_in -= 1
            if process.dies_in <= 0:
                self.kill(process)
        self.disk(operation, writes)
        self._until_switch -= 1
        if self._until_switch <= 0:
            self._until_switch = self._gap()
            self.pause(self.chance.choice((0.0, 0.001, 0.01, 0.1)))

    def violate(self, text: str) -> None:
        """Note a broken invariant, which ends the schedule; an exception would be caught by the code under test."""
        if self.failure is None:
            self.failure = Violation(text)

    def note(self, text: str) -> None:
        """Tell what happens, for a replay."""
        if self.teller is not None:
            self.teller(f"{self.now:10.3f}  {text}")

    teller: Callable[[str], None] | None = None
    board: Any = None  # of the world

    # ---------------------------------------------------------------------------------------------------- the clock

    def run(self, until: Callable[[], bool], longest_s: float) -> None:
        """Run until something is true; raise ``Violation`` when nothing can happen any more, or for too long."""
        while not until():
            if not self._heap:
                raise Violation("everybody waits for ever")
            self._next()
            if self.failure is not None:
                raise self.failure
            if self.now > longest_s:
                raise Violation(f"it has not ended after {longest_s:.0f} s")
            self._events += 1
            if self._events > MOST_EVENTS:
                raise Violation("it never ends")

    def close(self) -> None:
        """End all processes, so that their stacks are unwound."""
        self._is_closed = True
        for process in list(self.processes):
            process.at_death.clear()
            self.kill(process)
        while self._heap:
            _, _, _, entry, number = heapq.heappop(self._heap)
            if isinstance(entry, Task) and not entry.done and entry.number == number:
                self._resume(entry)

    def _next(self) -> None:
        when, _, _, entry, number = heapq.heappop(self._heap)
        if not isinstance(entry, Task):
            self.now = max(self.now, when)
            entry()
            return
        if entry.done or entry.number != number:
            return
        frozen = entry.process.frozen_until
        if entry.process.alive and frozen > max(when, self.now):
            heapq.heappush(self._heap, (frozen, self.chance.random(), next(self._order), entry, number))
            return
        self.now = max(self.now, when)
        self._resume(entry)
        if entry.error is not None and self.failure is None:
            self.failure = entry.error

    def _resume(self, task: Task) -> None:
        self.current = task
        task.greenlet.switch()
        self.current = None
        if task.done:
            for action in task.after if not self._is_closed else ():
                action()
            task.after.clear()

    def _living(self) -> Task:
        task = self.current
        assert task is not None, "only a task may wait"
        if not task.process.alive:
            raise Died
        return task

    def _schedule(self, task: Task, seconds: float) -> None:
        task.number += 1
        heapq.heappush(
            self._heap, (self.now + max(0.0, seconds), self.chance.random(), next(self._order), task, task.number)
        )

    def _give_way(self, task: Task) -> None:
        self.hub.switch()
        if not task.process.alive:
            raise Died

    def _gap(self) -> int:
        return 1 + int(self.chance.expovariate(1.0 / self.switch_every))


_active: list[Kernel] = []


def active() -> Kernel:
    """Return the kernel of the schedule that runs."""
    return _active[-1]


def is_inside() -> bool:
    """Return whether a task of a schedule runs now."""
    return bool(_active) and _active[-1].current is not None


def enter(kernel: Kernel) -> None:
    """Make a kernel the active one."""
    _active.append(kernel)


def leave() -> None:
    """Forget the active kernel."""
    _active.pop()
