"""Forecast the memory that the cohorts of the check need, on the host."""

from collections.abc import Callable
from functools import partial

from tests.benchmarks.batch import CLASSES
from tests.benchmarks.gpu_check.budget import Budget, Row
from tests.benchmarks.gpu_check.scale import Mode, Scale, setting_name
from tests.benchmarks.step import METHOD, SCHEDULE
from trainers.costs.memory import forecast
from trainers.schema.memory import MemoryUnit


def names(scale: Scale) -> list[str]:
    """Return the names of the forecasts."""
    return [setting_name(size, mode) for size, mode in scale.settings()]


def measure(scale: Scale, budget: Budget, record: Callable[[Row], None]) -> None:
    """Record the forecasts."""
    budget.spend([partial(_forecast, scale, size, mode) for size, mode in scale.settings()], record)


def _forecast(scale: Scale, size: tuple[int, int], mode: Mode) -> Row:
    unit = MemoryUnit(
        key="-",
        student=scale.student,
        teacher=scale.teacher,
        method=METHOD,
        schedule=SCHEDULE.model_copy(update={"precision": mode.precision}),
        classes=CLASSES,
        size=size,
        images=scale.images,
        channels_last=mode.channels_last,
    )
    found = forecast(unit)
    return {
        "name": setting_name(size, mode),
        "peaks": {str(students): found.peak(students) for students in scale.students},
        "workspace": found.workspace,
    }
