"""Run many schedules, and say which of them break an invariant."""

import logging
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.simulation import seams
from tests.simulation.kernel import Died, Kernel
from tests.simulation.world import World, run

WORLDS: Mapping[str, str] = MappingProxyType(
    {
        "hosts": "tests.simulation.worlds.hosts:Hosts",
        "jobs": "tests.simulation.worlds.jobs:Jobs",
        "runs": "tests.simulation.worlds.runs:Runs",
        "search": "tests.simulation.worlds.search:Searched",
        "service": "tests.simulation.worlds.service:Submitted",
        "tracking": "tests.simulation.worlds.tracking:Tracked",
    }
)
MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Failure:
    """Hold a schedule in which something went wrong."""

    world: str
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.world} {self.number}: {self.reason}\n  again: python -m tests.simulation replay {self.world} {self.number}"


@dataclass
class Explored:
    """Hold how many schedules were run, their operations and virtual seconds, and which failed."""

    schedules: int = 0
    operations: int = 0
    virtual_s: float = 0.0
    seconds: float = 0.0
    failures: tuple[Failure, ...] = ()
    digest: int = 0  # of all operations

    def __add__(self, other: "Explored") -> "Explored":
        return Explored(
            self.schedules + other.schedules,
            self.operations + other.operations,
            self.virtual_s + other.virtual_s,
            max(self.seconds, other.seconds),
            (*self.failures, *other.failures),
            self.digest ^ other.digest,
        )


def world_of(name: str) -> type[World]:
    """Return a world by its name."""
    module, _, kind = WORLDS[name].partition(":")
    found: type[World] = getattr(import_module(module), kind)
    return found


@contextmanager
def folder() -> Iterator[Path]:
    """Make a folder for schedules, in memory where that can be."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="stillhouse-simulation-", dir=place) as made:
        yield Path(made)


def prepare(names: Sequence[str]) -> None:
    """Make this process ready for schedules."""
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = unless_died
    seams.install()
    for name in names:
        world_of(name).install()


def unless_died(found: Any) -> None:
    """Leave out that a dead process's generators end with its death."""
    if not isinstance(found.exc_value, Died):
        sys.__unraisablehook__(found)


def explore(
    names: Sequence[str], numbers: Sequence[int], seconds: float = float("inf"), most_failures: int = 1
) -> Explored:
    """Run the schedules of these numbers in each world, until the time is over or so many have failed."""
    prepare(names)
    began, found = time.monotonic(), Explored()
    with folder() as root:
        for number in numbers:
            for name in names:
                found = found + attempt(name, number, root)
            if time.monotonic() - began > seconds or len(found.failures) >= most_failures:
                break
    found.seconds = time.monotonic() - began
    return found


def attempt(name: str, number: int, root: Path, teller: Callable[[str], None] | None = None) -> Explored:
    """Run one schedule."""
    kernels: list[Kernel] = []
    try:
        run(world_of(name), number, root / name, kernels.append, teller)
    except Exception as error:  # noqa: BLE001  whatever it is, this schedule shows it
        reason = f"{type(error).__name__}: {error}"
        if teller is not None:
            teller("".join(traceback.format_exception(error)))
        failures: tuple[Failure, ...] = (Failure(name, number, reason),)
    else:
        failures = ()
    kernel = kernels[0]
    return Explored(1, kernel.operations, kernel.now, 0.0, failures, kernel.digest)
