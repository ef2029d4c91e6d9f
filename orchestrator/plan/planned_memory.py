"""Hold the memory that a plan's trainings need of each GPU."""

from dataclasses import dataclass

from trainers.schema.memory import MemoryForecast, MemoryUnit


@dataclass(frozen=True)
class PlannedMemory:
    """Hold forecasts by trainings, the largest first, and a GPU's memory in bytes, ``None`` where it is not known.

    ``problems`` tell why a training has no forecast.
    """

    forecasts: tuple[tuple[MemoryUnit, MemoryForecast], ...]
    gpu: int | None
    problems: tuple[str, ...] = ()

    @property
    def students(self) -> int | None:
        """Return how many of the largest students fit side by side, at least 1; ``None`` where nobody knows."""
        if self.gpu is None or not self.forecasts:
            return None
        return max(1, min(found.students_in(self.gpu) for _, found in self.forecasts))
