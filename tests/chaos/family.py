"""Find the processes of a run, and end or pause them without a warning."""

import contextlib
import os
import signal
from random import Random

from orchestrator.core.processes import Process, descendants, process, processes, variable
from orchestrator.core.ray_environment import DRIVER as MARK
from tests.chaos.flavours import ALL, DRIVER, TITLES


class Family:
    """Know the processes that exist because of drivers, also after those have ended."""

    def __init__(self) -> None:
        self._drivers: set[str] = set()
        self._seen: set[str] = set()

    def add(self, driver: int) -> None:
        """Take note of a driver that has just been started."""
        found = process(driver)
        if found is not None:
            self._drivers.add(found.identity)

    def look(self, driver: int) -> list[Process]:
        """Return what the driver has started by now, and remember it."""
        found = descendants(driver)
        self._seen |= {one.identity for one in found}
        return found

    def left(self) -> list[Process]:
        """Return what is there of all drivers so far: remembered, or marked as theirs."""
        ours = self._drivers | self._seen
        return [one for one in processes() if one.identity in ours or variable(one.pid, MARK) in self._drivers]


def pick(target: str, driver: int, family: Family, random: Random) -> list[Process]:
    """Return what to kill for ``target``: one process of its kind, or all; nothing while there is none."""
    found = family.look(driver)
    own = process(driver)
    itself = [own] if own else []
    if target == DRIVER:
        return itself
    if target == ALL:
        return [*itself, *found]
    fitting = [one for one in found if TITLES[target] in f"{one.title} "]
    return [random.choice(sorted(fitting, key=lambda one: one.started))] if fitting else []


def kill(victims: list[Process]) -> None:
    """Send SIGKILL, to the parents first: nobody sees its child end and cleans up."""
    _send(signal.SIGKILL, victims)


def pause(victims: list[Process]) -> None:
    """Send SIGSTOP: their connections stay, and nobody answers on them."""
    _send(signal.SIGSTOP, victims)


def resume(victims: list[Process]) -> None:
    """Send SIGCONT to those that are still there."""
    _send(signal.SIGCONT, [one for one in victims if (now := process(one.pid)) and now.identity == one.identity])


def _send(number: signal.Signals, receivers: list[Process]) -> None:
    for receiver in receivers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(receiver.pid, number)
