"""Say which intervals a searched key may be drawn from: of numbers or integers, evenly or in the logarithm, in steps."""

import math
import random
from abc import abstractmethod
from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from trainers.schema.base import Section

Number = float | int
Whole = Annotated[int, Field(strict=True)]
ON_STEP = 1e-9  # of a step: how far from a whole number of steps counts as rounding


def exact(number: Number) -> str:
    """Return a number as a study would write it, with all of its digits: 0.3, 2 for 2.0."""
    whole = isinstance(number, int) or (number.is_integer() and abs(number) < 1 / ON_STEP)
    return str(int(number)) if whole else repr(number)


class Range(Section):
    """Hold an interval, both ends included. The one key that each kind requires is its name in a study."""

    logarithmic: ClassVar[bool] = False
    whole: ClassVar[bool] = False

    @classmethod
    def key(cls) -> str:
        """Return the key that names this kind."""
        return next(iter(cls.model_fields))

    @property
    def ends(self) -> tuple[Number, Number]:
        """Return the lowest and the highest value."""
        found: tuple[Number, Number] = getattr(self, self.key())
        return found

    @property
    def width(self) -> Number | None:
        """Return the distance of neighbouring values, ``None`` where any number may be drawn."""
        return None

    @abstractmethod
    def draw(self, generator: random.Random) -> Number:
        """Return a random value."""

    def nearest(self, value: float) -> Number:
        """Return the value of the interval that is nearest to a number."""
        low, high = self.ends
        kept = min(max(value, low), high)
        return kept if self.width is None else self._at(round((kept - low) / self.width))

    def _at(self, steps: int) -> Number:
        """Return the value so many steps above the lowest, as its decimals say: 0.1 and two steps of 0.1 are 0.3."""
        low = self.ends[0]
        if isinstance(low, int) and isinstance(self.width, int):
            return low + steps * self.width
        return type(low)(Decimal(repr(low)) + steps * Decimal(repr(self.width)))

    def _require_order(self, least: float = -math.inf) -> None:
        low, high = self.ends
        if low >= high:
            raise ValueError(f"low must be below high, got {list(self.ends)}")
        if low < least:
            raise ValueError(f"needs {least:g} <= low < high, got {list(self.ends)}")

    def _require_whole_steps(self) -> None:
        """Raise where the highest value is not on a step: nobody would know whether it can be drawn."""
        low, high = self.ends
        if self.width is None or self._comes_to(high):
            return
        raise ValueError(
            f"steps of {exact(self.width)} from {exact(low)} do not come to {exact(high)}: give {self._nearest_ends()}another step"
        )

    def _comes_to(self, high: Number) -> bool:
        """Return whether a value lies a whole number of steps above the lowest, one at least."""
        low, width = self.ends[0], self.width
        if isinstance(low, int) and isinstance(high, int) and isinstance(width, int):
            return high > low and (high - low) % width == 0
        steps = (high - low) / (width or 1)
        return 1 <= steps < math.inf and abs(steps - round(steps)) <= ON_STEP * steps

    def _nearest_ends(self) -> str:
        """Return ends that the steps come to, for a message; nothing where no number is near enough to them."""
        low, high = self.ends
        steps = (high - low) // (self.width or 1)  # of integers exactly
        last = self._at(max(1, int(steps))) if steps < math.inf else low
        return f"[{exact(low)}, {exact(last)}] or " if math.isfinite(last) and self._comes_to(last) else ""


class Uniform(Range):
    """Draw uniformly from [low, high], or from its values ``step`` apart."""

    uniform: tuple[float, float]
    step: Annotated[float, Field(gt=0)] | None = Field(None, exclude_if=lambda step: step is None)

    @property
    def width(self) -> Number | None:
        """Return the step."""
        return self.step

    def draw(self, generator: random.Random) -> Number:
        """Return a random value."""
        low, high = self.uniform
        if self.step is None:
            return generator.uniform(low, high)
        return self._at(generator.randint(0, round((high - low) / self.step)))

    @model_validator(mode="after")
    def _ordered(self) -> "Uniform":
        self._require_order()
        if math.isinf(self.uniform[1] - self.uniform[0]):
            raise ValueError(f"is too wide to draw from, got {list(self.uniform)}")
        self._require_whole_steps()
        return self


class LogUniform(Range):
    """Draw uniformly in the logarithm from [low, high], both above 0."""

    logarithmic: ClassVar[bool] = True
    loguniform: tuple[float, float]

    def draw(self, generator: random.Random) -> Number:
        """Return a random value."""
        low, high = self.loguniform
        return min(max(math.exp(generator.uniform(math.log(low), math.log(high))), low), high)

    @model_validator(mode="after")
    def _ordered(self) -> "LogUniform":
        low, high = self.loguniform
        if not 0 < low < high < math.inf:
            raise ValueError(f"needs 0 < low < high, got {list(self.loguniform)}")
        return self


class Int(Range):
    """Draw an integer from [low, high], each as likely, or one of those ``step`` apart."""

    whole: ClassVar[bool] = True
    int: tuple[Whole, Whole]
    step: Annotated[Whole, Field(ge=1)] = Field(1, exclude_if=lambda step: step == 1)

    @property
    def width(self) -> Number:
        """Return the step."""
        return self.step

    def draw(self, generator: random.Random) -> Number:
        """Return a random value."""
        low, high = self.int
        return low + self.step * generator.randint(0, (high - low) // self.step)

    @model_validator(mode="after")
    def _ordered(self) -> "Int":
        self._require_order()
        self._require_whole_steps()
        return self


class LogInt(Range):
    """Draw an integer from [low, high], both above 0, uniformly in the logarithm."""

    logarithmic: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    logint: tuple[Whole, Whole]

    @property
    def width(self) -> Number:
        """Return 1."""
        return 1

    def draw(self, generator: random.Random) -> Number:
        """Return a random value; each has the share of the logarithm that lies nearest to it."""
        low, high = self.logint
        return self.nearest(math.exp(generator.uniform(math.log(low - 0.5), math.log(high + 0.5))))

    @model_validator(mode="after")
    def _ordered(self) -> "LogInt":
        self._require_order(least=1)
        return self


RANGES: tuple[type[Range], ...] = (Uniform, LogUniform, Int, LogInt)
