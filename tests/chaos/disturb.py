"""Run a study while its processes are killed, or paused, at random, and tell what happened."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random

from orchestrator.core.processes import Process
from tests.chaos.command import Command
from tests.chaos.family import Family, kill, pause, pick, resume
from tests.chaos.flavours import ALL, TRACKER, Flavour
from tests.chaos.moments import Moment, committed, draw
from tests.contract.mlflow_server import MlflowServer

LOOK_S = 0.005
PATIENCE_S = 300.0  # without a state, a record or an end: whoever waits longer waits for ever
LONGEST_S = 1200.0  # of a whole run: the longest one took 335 s, on a busy machine
PY_SPY, LOOK_AT_STACKS_S = Path(sys.executable).with_name("py-spy"), 30.0
RESTARTS = 3  # of the command after the last kill; each may be ended by what the kill before it has broken
GONE_S = 30.0  # until the last process has ended


@dataclass
class Kill:
    """Hold one kill: when it came, whom it met, what became of the command, and how long nothing was saved after it.

    Where ``paused_s`` is given the process was not killed, but stopped for so many seconds.
    """

    moment: str
    target: str
    after_s: float
    reached: int
    paused_s: float | None = None
    ended_with: int | None = None
    went_on_s: float | None = None


@dataclass
class Story:
    """Hold one disturbed run."""

    kills: list[Kill] = field(default_factory=list)
    starts: int = 0
    seconds: float = 0.0
    left: list[str] = field(default_factory=list)
    stacks: str = ""  # of the processes that were there when the run had to be given up


class Chaos:
    """Disturb one command: what is drawn follows from the seed, when it comes about from the machine.

    ``story`` is true at any time, also of a run that was given up.
    """

    def __init__(
        self,
        command: Command,
        flavour: Flavour,
        seed: int,
        server: MlflowServer | None,
        pause_s: float | None = None,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._command, self._server, self._pause_s, self._longest_s = command, server, pause_s, longest_s
        self._random = Random(seed)
        self._targets = flavour.targets(self._random)
        self._family = Family()
        self.story = Story()
        self._timers: list[threading.Timer] = []
        self._began = 0.0

    def run(self, kills: int) -> Story:
        """Kill so often, unless the study ends before that; then let it finish. Raises ``AssertionError`` if it does not."""
        self._began = time.monotonic()
        try:
            self._start()
            for _ in range(kills):
                if not self._disturb(draw(self._random), next(self._targets)):
                    break
            self._let_finish()
        except BaseException:
            self._await_timers()
            self.story.stacks = stacks(self._family.left())
            kill(self._family.left())  # what hangs must not outlive the test
            raise
        finally:
            self.story.starts, self.story.seconds = self._command.starts, time.monotonic() - self._began
        self.story.left = self._leftovers()
        return self.story

    def _start(self) -> None:
        self._command.start()
        self._family.add(self._command.pid)

    def _disturb(self, moment: Moment, target: str) -> bool:
        """Kill or pause ``target`` at ``moment``; return False when the study has ended before."""
        while not moment.has_come(self._command.store):
            if not self._goes_on():
                return False
        while not self._strike(moment.name, target):
            if not self._goes_on():
                return False
        return True

    def _goes_on(self) -> bool:
        """Look once, and start a command that has ended early again; return False when it has done its work."""
        time.sleep(LOOK_S)
        self._note_progress()
        assert time.monotonic() - self._began < self._longest_s, f"the study has not ended: {self._command.said}"
        code = self._command.code
        if code is None:
            return True
        if code == 0:
            return False
        self._note_end(code)
        self._start()
        return True

    def _strike(self, moment: str, target: str) -> bool:
        seconds, reached = time.monotonic() - self._command.began, committed(self._command.store)
        victims = [] if target == TRACKER else pick(target, self._command.pid, self._family, self._random)
        if not victims and target != TRACKER:
            return False
        if self._pause_s is None:
            self._kill(target, victims)
        else:
            self._pause(target, victims, self._pause_s)
        self.story.kills.append(Kill(moment, target, seconds, reached, self._pause_s))
        self._struck = time.monotonic()
        return True

    def _kill(self, target: str, victims: list[Process]) -> None:
        """Kill; the server comes back some seconds later."""
        kill(victims)
        if target in (TRACKER, ALL) and self._server is not None:
            self._await_timers()
            self._server.kill()
            self._later(self._random.uniform(0.0, 10.0), self._server.start)

    def _pause(self, target: str, victims: list[Process], seconds: float) -> None:
        """Stop, one after another, and continue some seconds later."""
        self._await_timers()
        stopped = self._server.processes if target == TRACKER and self._server is not None else victims
        pause(stopped)
        self._later(seconds, partial(resume, stopped))

    def _later(self, seconds: float, call: Callable[[], object]) -> None:
        timer = threading.Timer(seconds, call)
        timer.start()
        self._timers.append(timer)

    def _await_timers(self) -> None:
        for timer in self._timers:
            timer.join()
        self._timers.clear()

    def _note_progress(self) -> None:
        last = self.story.kills[-1] if self.story.kills else None
        if last is None or last.went_on_s is not None:
            return
        seconds, reached = time.monotonic() - self._struck, committed(self._command.store)
        if last.ended_with is not None and ": started" not in self._command.said:
            last.reached = reached  # by what the command before has left: it may not have heard of its end yet
        elif reached > last.reached:
            last.went_on_s = seconds
        assert seconds < PATIENCE_S, f"nothing happens after {last}: {self._command.said}"

    def _note_end(self, code: int) -> None:
        last = self.story.kills[-1] if self.story.kills else None
        if last is not None and last.ended_with is None:
            last.ended_with, last.went_on_s = code, None  # what was saved before the end does not count

    def _let_finish(self) -> None:
        most = self._command.starts + RESTARTS
        while self._goes_on():
            assert self._command.starts <= most, f"the study does not finish: {self._command.said}"
        self._await_timers()

    def _leftovers(self) -> list[str]:
        giving_up = time.monotonic() + GONE_S
        while (left := self._family.left()) and time.monotonic() < giving_up:
            time.sleep(0.1)
        return [f"process {one.pid} is left: {one.title[:80]}" for one in left]


@contextmanager
def tracked(flavour: Flavour, folder: Path) -> Iterator[MlflowServer | None]:
    """Run a server for the length of a block, where the flavour has one."""
    with ExitStack() as ending:
        server = None
        if flavour.server:
            server = MlflowServer(folder / "server")
            ending.callback(server.kill)
            server.start()
        yield server


def undisturbed(flavour: Flavour, folder: Path, scratch: Path) -> Path:
    """Run the flavour's study without a kill and return its store; results go to a file, whatever the flavour."""
    command = Command(replace(flavour, sets=(*flavour.sets, *flavour.calm)), folder, scratch)
    command.start()
    giving_up = time.monotonic() + LONGEST_S
    while (code := command.code) is None and time.monotonic() < giving_up:
        time.sleep(0.1)
    assert code == 0, command.said
    return command.store


def stacks(found: list[Process]) -> str:
    """Return where the threads of some processes are, of those that are Python's."""
    return "\n".join(f"{one.pid} {one.title[:80]}\n{_stack(one)}" for one in found)


def _stack(one: Process) -> str:
    command = [PY_SPY, "dump", "--pid", str(one.pid)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOOK_AT_STACKS_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout or done.stderr
