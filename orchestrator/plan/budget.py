"""Decide when a study's budget is spent: its hours are used, or its goal is reached."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from orchestrator.core.numbers import numbers_in
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.plan.wall_clock import WallClock
from trainers.schema.record import read_history

HOUR_S = 3600.0
NO_GOAL = "null"
CLOCK = ".hours"  # beside the study's search log


@dataclass(frozen=True)
class BudgetEnd:
    """Hold which ``key`` of a study ends it and why; with the value ``larger`` it goes on."""

    key: str
    detail: str
    larger: str

    @property
    def remedy(self) -> str:
        """Return the remedy in words."""
        return "a larger value" if self.larger != NO_GOAL else "a higher goal, or none,"


class Budget:
    """Track the hours of a study's runs, and GPU hours and results of its students, over this run and all earlier ones."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._search = plan, plan.study.search
        self._hours: dict[str, float] = {}
        self._students: dict[str, PlannedTrial] = {}
        self._clock = None if self._search.max_hours is None else WallClock(plan.search_log.with_suffix(CLOCK))
        self._reached: BudgetEnd | None = None
        if self._search.max_gpu_hours is not None or self._search.stop_when is not None:
            for trial in (*plan.students, *plan.suggested):
                self._take(trial)

    def on_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Take a trial's new record into account; the teacher's time does not count."""
        if self._search.max_gpu_hours is None and self._search.stop_when is None:
            return
        if trial_id not in self._students:  # a search has come to it
            self._students = {trial.id: trial for trial in (*self._plan.students, *self._plan.suggested)}
        if trial_id in self._students:
            self._take(self._students[trial_id])

    @property
    def hours_left(self) -> float | None:
        """Return how many GPU hours ``search.max_gpu_hours`` leaves, ``None`` where it sets no limit."""
        most = self._search.max_gpu_hours
        return None if most is None else max(0.0, most - sum(self._hours.values()))

    @property
    def clock_hours_left(self) -> float | None:
        """Return how many hours by the clock ``search.max_hours`` leaves, ``None`` where it sets no limit."""
        most = self._search.max_hours
        return None if most is None or self._clock is None else max(0.0, most - self._clock.seconds / HOUR_S)

    def counting(self) -> AbstractContextManager[None]:
        """Count the time of a block as a run's, where the study limits it."""
        return self._clock.counting() if self._clock else nullcontext()

    def keep(self) -> None:
        """Write down the time so far, so that a killed process does not lose it."""
        if self._clock:
            self._clock.keep()

    @property
    def reason(self) -> str | None:
        """Return why no more is to be trained, ``None`` while there is no such reason."""
        end = self.end
        return None if end is None else f"{end.key}: {end.detail}"

    @property
    def end(self) -> BudgetEnd | None:
        """Return the key that ends the study, and a value that lets it go on; ``None`` while nothing ends it."""
        gpu_hours, clock_hours = sum(self._hours.values()), self._clock.seconds / HOUR_S if self._clock else 0.0
        spent = {"max_gpu_hours": gpu_hours, "max_hours": clock_hours}
        for key, used in spent.items():
            most = getattr(self._search, key)
            if most is not None and used >= most:
                return BudgetEnd(f"search.{key}", f"{used:.3g} of {most:g} are spent", f"{2 * used:.3g}")
        return self._reached

    def _take(self, trial: PlannedTrial) -> None:
        history = read_history(trial.directory)
        resources = self._plan.resources
        worker_s = sum(record.worker_s(resources.workers) for record in history)
        self._hours[trial.id] = (resources.gpus_per_worker or 1.0) * worker_s / HOUR_S
        goal = self._search.stop_when
        best = max(numbers_in(record.metrics.get(goal.metric) for record in history), default=None) if goal else None
        if goal and best is not None and best >= goal.at_least:
            detail = f"trial {trial.id} has {goal.metric} {best:.4g}, at least {goal.at_least:g}"
            self._reached = BudgetEnd("search.stop_when", detail, NO_GOAL)
