"""Hold public weights to the figure that their zoo gives, before a training that rests on them is paid for."""

import math
from dataclasses import dataclass

from orchestrator.weights import zoo_checkpoint

TOLERANCE = 0.2  # of AP, in percent: what other versions and roundings may change


@dataclass(frozen=True)
class Check:
    """Hold what public weights give here beside their zoo's AP, in percent; ``objection`` says why they will not do."""

    weights: str
    expected: float
    measured: float
    objection: str | None


def check_of(weights: str, measured: float) -> Check:
    """Return the check of weights that have been evaluated."""
    return Check(weights, zoo_checkpoint(weights).ap, measured, objection(weights, measured))


def objection(weights: str, measured: float | None) -> str | None:
    """Return why nothing may rest on these weights, ``None`` when they give their zoo's AP; ``measured`` is in percent.

    What a table prints does not matter here: where it differs from the zoo's figure, that is known and no fault of the
    weights.
    """
    expected = zoo_checkpoint(weights).ap
    if measured is None or not math.isfinite(measured):
        return f"{weights} could not be evaluated"
    if abs(measured - expected) > TOLERANCE + 1e-9:
        return (
            f"{weights} gives AP {measured:.1f} here, and {expected:.1f} in its zoo: wrong weights, data or evaluation"
        )
    return None
