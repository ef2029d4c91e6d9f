"""Hold the memory that a plan's trainings need of each GPU."""

from dataclasses import dataclass

from trainers.schema.memory import MemoryForecast, MemoryUnit


@dataclass(frozen=True)
class PlannedMemory:
    """Hold forecasts by trainings, the largest first, and a GPU's memory in bytes, ``None`` where it is not known.

    ``problems`` tell why a training has no forecast. ``alone`` are the keys of teachers' trainings, which have none beside them.
    """

    forecasts: tuple[tuple[MemoryUnit, MemoryForecast], ...]
    gpu: int | None
    problems: tuple[str, ...] = ()
    alone: frozenset[str] = frozenset()

    @property
    def students(self) -> int | None:
        """Return how many of the largest students fit side by side, at least 1; ``None`` where nobody knows."""
        students = [found for unit, found in self.forecasts if unit.key not in self.alone]
        if self.gpu is None or not students:
            return None
        return max(1, min(found.students_in(self.gpu) for found in students))

    def fits(self, gpu: int, students: int) -> bool:
        """Return whether each training fits into so many bytes, with ``students`` side by side where it is not a teacher's."""
        return all(
            found.students_in(gpu) >= (1 if unit.key in self.alone else students) for unit, found in self.forecasts
        )
