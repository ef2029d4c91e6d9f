"""Hold public weights to the figures published for them, before a training that rests on them is paid for."""

import math
from dataclasses import dataclass

from orchestrator.plan.weights import zoo_checkpoint

TOLERANCE = (
    2  # tenths of AP in percent, the precision of published figures: what other versions and roundings may change
)
ACCEPT = "--accept-teacher-ap"


@dataclass(frozen=True)
class BaselineCheck:
    """Hold the AP of public weights measured here beside the published one, in percent.

    ``expected`` is their zoo's figure, ``published`` the others by their source; ``objection`` says why the weights will
    not do, and ``accepted`` whether the user accepts them anyway.
    """

    weights: str
    expected: float
    published: dict[str, float]
    measured: float
    objection: str | None
    accepted: bool = False


def check_of(weights: str, measured: float, *, accept: bool = False) -> BaselineCheck:
    """Return the check of weights that have been evaluated; ``accept`` accepts any AP."""
    known, found = zoo_checkpoint(weights), why_rejected(weights, measured)
    return BaselineCheck(weights, known.ap, dict(known.published), measured, found, accept and found is not None)


def why_rejected(weights: str, measured: float | None) -> str | None:
    """Return why nothing may rest on these weights, ``None`` when they give an AP that is published for this file.

    ``measured`` is in percent and compared at the precision of the figures, one decimal. The AP that a table prints for
    weights trained by its authors does not matter here.
    """
    if measured is None or not math.isfinite(measured):
        return f"{weights} could not be evaluated"
    if any(abs(_tenths(measured) - _tenths(figure)) <= TOLERANCE for figure in figures(weights).values()):
        return None
    return (
        f"{weights} gives AP {measured:.1f} here, and {described(weights)}: wrong weights, data or evaluation "
        f"({ACCEPT} goes on with them)"
    )


def figures(weights: str) -> dict[str, float]:
    """Return every AP that is published for a public checkpoint, in percent, by who gives it."""
    known = zoo_checkpoint(weights)
    return {"its zoo": known.ap, **known.published}


def described(weights: str) -> str:
    """Return the published figures in words."""
    return ", ".join(f"{figure:.1f} in {source}" for source, figure in figures(weights).items())


def _tenths(percent: float) -> int:
    return round(round(percent, 1) * 10)
