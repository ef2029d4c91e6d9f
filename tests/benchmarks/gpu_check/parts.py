"""List the parts of the check and their shares of the twelve minutes. Imports nothing heavy."""

from collections.abc import Iterator
from dataclasses import dataclass

TWELVE_MINUTES = 720.0
AT_TOY_SIZE = 170.0  # seconds on a CPU: within three minutes, with the time to write the file


@dataclass(frozen=True)
class Part:
    """Describe a part: its name, what it does, and its share of the twelve minutes, or of the toy size's time, in seconds.

    At toy size other parts take long: forecasts cost the same at any size, cohorts next to nothing.
    ``module`` of this package has ``names(scale)``, those of the rows to be measured, and ``measure(scale, budget,
    record)``, which records rows.
    """

    name: str
    what: str
    share_s: float
    toy_s: float
    module: str


PARTS = (
    Part("proofs", "tests/gpu", 170, 20, "proofs"),
    Part("step", "BCKD step against student step + teacher forward", 70, 25, "step_ratio"),
    Part("forecasts", "forecasts of memory, on the host", 70, 35, "forecasts"),
    Part("cohorts", "cohorts of 1, 2, 4 and 8", 320, 35, "cohorts"),
    Part("equality", "resumed and side by side against alone", 90, 55, "equality"),
)


def shares(seconds: float, device: str) -> Iterator[tuple[Part, float]]:
    """Yield each part with its share of ``seconds`` on a device (``cpu`` or ``cuda``)."""
    for part in PARTS:
        yield part, seconds * (part.toy_s / AT_TOY_SIZE if device == "cpu" else part.share_s / TWELVE_MINUTES)
