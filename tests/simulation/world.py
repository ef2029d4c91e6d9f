"""Hold what all worlds have in common: a folder, disturbances that chance picks, an end, and checks."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.simulation import files
from tests.simulation.kernel import Kernel, Process, enter, leave
from tests.simulation.training import Board

SHORTEST_S, LONGEST_S = 0.5, 40.0


class World:
    """Run one schedule: ``begin`` starts it, ``is_over`` tells its end, ``check`` looks at what is left.

    ``disturbed_s`` is for how long things go wrong, ``longest_s`` after how long it has to be over.
    """

    disturbed_s, longest_s = 20.0, 900.0

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        self.kernel, self.folder = kernel, folder
        self.chance = kernel.chance
        self.trouble: files.Trouble | None = None

    @classmethod
    def install(cls) -> None:
        """Exchange what only this world needs in the product's modules, once."""

    def begin(self) -> None:
        raise NotImplementedError

    def is_over(self) -> bool:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    # ------------------------------------------------------------------------------------------- what may go wrong

    def some_time(self) -> float:
        """Draw a moment in the time of disturbances."""
        return self.chance.uniform(0.0, self.disturbed_s)

    def likely(self, probability: float) -> bool:
        return self.chance.random() < probability

    def trouble_disk(self, kinds: Iterable[str] = ("slow", "full", "away")) -> None:
        """Let the disk be in trouble for a while."""
        kind = self.chance.choice(list(kinds))
        self.trouble = files.Trouble(self.kernel, kind, self.some_time(), self.chance.uniform(0.5, 6.0))
        self.kernel.disk = self.trouble

    def kill_later(self, process: Process, deaths: Callable[[Process], None] = lambda process: None) -> None:
        """Let a process die: before an operation that chance picks, or at a time that it picks."""
        if self.likely(0.6):
            process.dies_in = int(self.chance.expovariate(1 / 150)) + 1
        else:
            self.kernel.at(self.some_time(), lambda: self.kernel.kill(process))

    def freeze_later(self, process: Process) -> None:
        """Let a process stand still for a while, and come back."""
        seconds = self.chance.choice((1.0, 6.0, 15.0))
        self.kernel.at(self.some_time(), lambda: self.kernel.freeze(process, seconds))


def run(
    kind: type[World],
    number: int,
    root: Path,
    made: Callable[[Kernel], None] = lambda kernel: None,
    teller: Callable[[str], None] | None = None,
) -> None:
    """Run the schedule of a number in a world; raise what is wrong. ``made`` gets its kernel first."""
    folder = root / "world"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kernel = Kernel(number, str(folder))
    made(kernel)
    kernel.teller, kernel.board = teller, Board()
    before = dict(os.environ)
    enter(kernel)
    try:
        world = kind(kernel, folder)
        world.begin()
        kernel.run(world.is_over, kind.longest_s)
        world.check()
    finally:
        try:
            kernel.close()
        finally:
            leave()
            files.forget_watches()
            os.environ.clear()
            os.environ.update(before)
