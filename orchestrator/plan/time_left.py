"""Estimate how long a running study will still take by the clock, from the steps that have been measured by now."""

import math
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import median

from orchestrator.plan.budget import HOUR_S, Budget
from orchestrator.plan.cohorts import cohorts, probes
from orchestrator.plan.plan import Plan
from orchestrator.plan.rates import Likeness, measured
from orchestrator.plan.totals import further, steps_left, to_train
from orchestrator.plan.trial import PlannedTrial
from trainers.schema.status import is_over


class TimeLeft:
    """Estimate the rest of a plan while it runs; ``rates`` are those of the store, in seconds a step (``known_rates``)."""

    def __init__(self, plan: Plan, rates: Mapping[str, Sequence[float]]) -> None:
        self._plan, self._rates = plan, rates
        self._likeness = Likeness(plan)
        self._own: dict[str, float | None] = {}  # by trial, of those that have ended: they are read once
        later = further(plan)
        self._probes = tuple(probe for one in later for probe in one.probes)
        students = [trial for trial in plan.trials if trial.role == "student"]
        self._cohort = cohorts(plan, students or probes(plan)).size
        self.trials = len(plan.trials) + sum(one.count for one in later)  # at most
        self._budget_h, self._began = Budget(plan).clock_hours_left, time.monotonic()

    def seconds(self, ended: Collection[str] = (), running: Mapping[str, int] | None = None) -> float | None:
        """Return the seconds until all trials have ended, ``None`` while the length or speed of one is unknown.

        ``ended`` are trials that this run has ended, ``running`` the steps left of those that it trains. A teacher is
        trained alone, students as many at a time as the machine allows. An open search counts with all its trials.
        """
        plan, own = self._plan, self._measured(ended)
        rates = self._pooled(own)
        left = [trial for trial in to_train(plan.trials) if trial.id not in ended]
        steps = {trial.id: (running or {}).get(trial.id, steps_left(trial)) for trial in left}
        each = [self._seconds(trial, steps[trial.id], own[trial.id], rates) for trial in left]
        to_come = self.trials - len(plan.trials)
        later = [self._seconds(probe, probe.estimate.steps, None, rates) for probe in self._probes] if to_come else []
        if None in each or None in later:
            return None
        longest = max((one for one in later if one is not None), default=0.0)
        teacher = sum(one or 0.0 for trial, one in zip(left, each, strict=True) if trial.role == "teacher")
        students = [one or 0.0 for trial, one in zip(left, each, strict=True) if trial.role == "student"]
        return self._within_budget(teacher + self._by_the_clock([*students, *[longest] * to_come]))

    def _within_budget(self, seconds: float) -> float:
        """Return the seconds, or those that ``search.max_hours`` leaves."""
        if self._budget_h is None:
            return seconds
        return min(seconds, max(0.0, self._budget_h * HOUR_S - (time.monotonic() - self._began)))

    def _measured(self, ended: Collection[str]) -> dict[str, float | None]:
        """Return the own rate of each of this plan's trials, by its id."""
        found = {trial.id: self._own.get(trial.id) or measured(trial) for trial in self._plan.trials}
        over = {trial.id for trial in self._plan.trials if trial.id in ended or is_over(trial.status)}
        self._own = {trial: rate for trial, rate in found.items() if trial in over}
        return found

    def _pooled(self, own: Mapping[str, float | None]) -> dict[str, list[float]]:
        """Return the rates of the store, and those of this plan's trials that have reported."""
        found = {key: list(rates) for key, rates in self._rates.items()}
        for trial in self._plan.trials:
            if (rate := own[trial.id]) is not None:
                found.setdefault(self._likeness.of(trial), []).append(rate)
        return found

    def _seconds(
        self, trial: PlannedTrial, steps: int | None, own: float | None, rates: Mapping[str, Sequence[float]]
    ) -> float | None:
        if not steps:
            return None if steps is None else 0.0
        rate = own or _median(rates.get(self._likeness.of(trial), ())) or self._plan.study.scaling.seconds_per_step
        return None if rate is None else steps * rate

    def _by_the_clock(self, students: Sequence[float]) -> float:
        """Return how long the students take, spread over the groups that train at once.

        The times of students of a cohort are their shares of the group's time, so they add up to it.
        """
        if not students:
            return 0.0
        groups = min(self._plan.resources.concurrent, math.ceil(len(students) / self._cohort))
        return max(sum(students) / max(1, groups), *students)


def _median(rates: Iterable[float]) -> float | None:
    found = list(rates)
    return median(found) if found else None
