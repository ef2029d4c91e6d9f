"""Hold public weights to the figure that their zoo gives, before a training that rests on them is paid for."""

import math

from orchestrator.weights import zoo_checkpoint

TOLERANCE = 0.2  # of AP, in percent: what other versions and roundings may change


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
