"""Draw studies on paper: points with true APs, curves that cross, noise over seeds and epochs, and failures."""

import math
import random
from dataclasses import dataclass
from functools import cached_property

from trainers.schema import TrialSpec

ALPHA1, ALPHA2 = (0.25, 0.5, 1.0, 2.0), (1.0, 2.0, 4.0, 8.0)
POINTS = tuple((first, second) for first in ALPHA1 for second in ALPHA2)
EPOCHS = 12
SEEDS = (0, 1, 2, 3, 4)
Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """Hold what curves look like, all in AP as a fraction but ``rate`` and ``failures``.

    ``points`` is the standard deviation of the true APs of a study's points, ``seed`` that of what a seed does to all of
    them alike, ``rest`` that of what it does to one, ``epoch`` that of one evaluation. AP is 0 for ``delay`` epochs,
    then nears its top with a ``rate`` that says how fast the rest of the way shrinks in an epoch; ``rates`` and ``jitter`` its standard deviations over points and
    over trials, in the logarithm: curves of other rates cross. ``failures`` is the share of trials that fail.
    """

    points: float
    seed: float
    rest: float
    epoch: float
    delay: float
    rate: float
    rates: float
    jitter: float
    failures: float = 0.01
    top: float = 0.33

    @property
    def standard_error(self) -> float:
        """Return the standard error of a mean over all seeds, without what a seed does to all points alike."""
        return math.sqrt((self.rest**2 + self.epoch**2) / len(SEEDS))


class Drawn:
    """Draw one study; all its numbers follow from ``number``."""

    def __init__(self, shape: Shape, number: int) -> None:
        self._shape, self._number = shape, number
        self._draws: dict[str, float] = {}  # drawn once for all searches of the study
        chance = random.Random(f"{number} points")
        self._tops = self._drawn_tops(chance)
        self._rates = {point: shape.rate * math.exp(chance.gauss(0, shape.rates)) for point in POINTS}
        self.pace = {point: chance.uniform(0.9, 1.1) for point in POINTS}

    def _drawn_tops(self, chance: random.Random) -> dict[Point, float]:
        """Return tops that fall from a peak somewhere in the grid, and are rough on top of that."""
        peak = (chance.uniform(0, 3), chance.uniform(0, 3))
        far = {POINTS[n]: (n // 4 - peak[0]) ** 2 + (n % 4 - peak[1]) ** 2 for n in range(len(POINTS))}
        rough = {point: -distance + chance.gauss(0, 2.0) for point, distance in far.items()}
        mean = sum(rough.values()) / len(rough)
        spread = math.sqrt(sum((value - mean) ** 2 for value in rough.values()) / len(rough))
        return {point: self._shape.top + self._shape.points * (value - mean) / spread for point, value in rough.items()}

    def after(self, level: float, point: Point, epoch: int, trial: str = "") -> float:
        """Return the level after one more epoch of a trial; of none with the point's own rate."""
        jitter = self._shape.jitter * self._normal(f"rate of {trial}") if trial else 0.0
        passed = min(max(epoch - self._shape.delay, 0.0), 1.0)
        return level + (1 - math.exp(-passed * self._rates[point] * math.exp(jitter))) * (self._tops[point] - level)

    def measured(self, level: float, point: Point, seed: int, trial: str, epoch: int) -> float:
        """Return what an evaluation of a trial gives."""
        shape, progress = self._shape, level / self._tops[point]
        common = shape.seed * self._normal(f"seed {seed}")
        own = shape.rest * self._normal(f"seed {seed} of {point}")
        noise = shape.epoch * self._normal(f"{trial} {epoch}")
        return max(level + progress * (common + own + noise), 0.0)

    def _normal(self, purpose: str) -> float:
        if purpose not in self._draws:
            self._draws[purpose] = random.Random(f"{self._number} {purpose}").gauss(0, 1)
        return self._draws[purpose]

    def fails_at(self, trial: str) -> int | None:
        """Return the epoch in which a trial fails."""
        chance = random.Random(f"{self._number} {trial} fails")
        return chance.randint(1, EPOCHS) if chance.random() < self._shape.failures else None

    @cached_property
    def truth(self) -> dict[Point, float]:
        """Return the expected AP of each point after its whole training."""
        levels = dict.fromkeys(POINTS, 0.0)
        for epoch in range(1, EPOCHS + 1):
            levels = {point: self.after(level, point, epoch) for point, level in levels.items()}
        return levels

    def shortfall(self, point: Point | None) -> float:
        """Return how far a point is below the best one; without a point that of the worst."""
        return max(self.truth.values()) - (self.truth[point] if point else min(self.truth.values()))

    def is_right(self, point: Point | None) -> bool:
        """Return whether a point is within one standard error of the best."""
        return point is not None and self.shortfall(point) <= self._shape.standard_error


def point_of(trial: TrialSpec) -> Point:
    """Return a trial's point."""
    return trial.method.alpha1, trial.method.alpha2  # type: ignore[union-attr,return-value]
