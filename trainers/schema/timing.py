"""Say when a term acts in a schedule: from and until which epoch, and how long its weight rises."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, create_model, model_validator

from trainers.schema.base import Section
from trainers.schema.schedule import Schedule

LONGEST = 10_000  # epochs
FINE = 100_000  # steps of an epoch, where it is not known how many there are


def _is_moment(value: int | float) -> int | float:
    if isinstance(value, int) and not 0 <= value <= LONGEST:
        raise ValueError(f"epochs must be 0 to {LONGEST}, got {value}")
    if isinstance(value, float) and not 0.0 < value < 1.0:
        raise ValueError(f"give whole epochs, or a share of the schedule above 0 and below 1, got {value}")
    return value


# Epochs that have passed (int), or the share of the schedule that has (float).
Moment = Annotated[int | float, AfterValidator(_is_moment)]
ALWAYS: dict[str, Any] = {"from": 0, "until": None, "ramp": 0}

if TYPE_CHECKING:

    class _From(Section):
        """Stand for the section below, whose field a type checker cannot see."""

else:  # `from` is a keyword of Python, so a class body cannot name the field
    _From = create_model("_From", __base__=Section, **{"from": (Moment, ALWAYS["from"])})


class Timed(_From):
    """Hold when a term acts: ``from`` and ``until`` a moment, its weight rising over ``ramp`` (epochs or a share)."""

    until: Moment | None = ALWAYS["until"]
    ramp: Moment = ALWAYS["ramp"]

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Timed":
        if type(self.until) is type(self.begins) and self.until <= self.begins:
            raise ValueError(f"until ({self.until}) must come after from ({self.begins}), else the term never acts")
        return self

    @property
    def begins(self) -> int | float:
        """Return the value of the key ``from``."""
        found: int | float = getattr(self, "from")
        return found

    @property
    def timing(self) -> dict[str, Any]:
        """Return the keys that say when a term acts, with their values."""
        return {key: getattr(self, key) for key in ALWAYS}


@dataclass(frozen=True, slots=True)
class Window:
    """Hold the steps, counted from 0, in which a term acts: from ``first``, before ``end``, rising over ``ramp`` steps."""

    first: int
    end: int | None
    ramp: int

    def factor(self, step: int) -> float:
        """Return the factor of the term's weight at ``step``: 0 outside, rising linearly to 1 inside."""
        if step < self.first or (self.end is not None and step >= self.end):
            return 0.0
        return min(1.0, (step - self.first + 1) / self.ramp) if self.ramp else 1.0

    @property
    def is_whole(self) -> bool:
        """Tell whether the term acts with its full weight at every step."""
        return self.first == 0 and self.end is None and self.ramp == 0


def window_of(term: Timed, schedule: Schedule, steps_per_epoch: int) -> Window:
    """Return the steps in which ``term`` acts."""
    end = None if term.until is None else _steps(term.until, schedule, steps_per_epoch)
    return Window(_steps(term.begins, schedule, steps_per_epoch), end, _steps(term.ramp, schedule, steps_per_epoch))


def _steps(moment: int | float, schedule: Schedule, steps_per_epoch: int) -> int:
    """Return the first step after ``moment``; a share counts the steps of the schedule's full length."""
    if isinstance(moment, int):
        return moment * steps_per_epoch
    whole = schedule.length * (1 if schedule.epochs is None else steps_per_epoch)
    return math.ceil(moment * whole)


def idle(term: Timed, schedule: Schedule) -> str | None:
    """Return why ``term`` acts in no step of ``schedule``, ``None`` when it does or when that depends on the data."""
    if _depends_on_data(schedule, term.begins, term.until or 0):
        return None
    window, whole = window_of(term, schedule, FINE), _whole(schedule)
    if window.first >= whole:
        return f"from ({term.begins}) lies at or after the end of the schedule ({_length(schedule)})"
    if window.end is not None and window.end <= window.first:
        return f"until ({term.until}) does not come after from ({term.begins})"
    return None


def beyond(term: Timed, schedule: Schedule) -> tuple[str, str] | None:
    """Return the key of a term that acts which asks for more than ``schedule`` has, and the consequence.

    ``None`` when there is none or when that depends on the data.
    """
    if _depends_on_data(schedule, *(moment for moment in (term.begins, term.until, term.ramp) if moment is not None)):
        return None
    window, whole = window_of(term, schedule, FINE), _whole(schedule)
    end = whole if window.end is None else window.end
    if end > whole:
        return (
            "until",
            f"acts to the end: until ({term.until}) lies after the end of the schedule ({_length(schedule)})",
        )
    if window.ramp > end - window.first:
        return "ramp", f"never reaches its weight: its ramp ({term.ramp}) is longer than the time in which it acts"
    return None


def _depends_on_data(schedule: Schedule, *moments: int | float) -> bool:
    """Return whether moments in epochs meet a schedule in steps."""
    return schedule.epochs is None and any(isinstance(moment, int) and moment for moment in moments)


def _whole(schedule: Schedule) -> int:
    return schedule.length * (1 if schedule.epochs is None else FINE)


def _length(schedule: Schedule) -> str:
    return f"{schedule.length} {schedule.unit}s"
