"""Forecast the time and cost of a plan's remaining trials, with their uncertainty."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from orchestrator.plan.budget import Budget
from orchestrator.plan.plan import Plan
from orchestrator.plan.rates import Likeness, measured_at_full_size
from orchestrator.plan.totals import Further, Totals, further, left, steps_left, totals
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.wording import counted

HOUR_S = 3600.0
FEW = 3  # measurements: fewer say little about the spread
SMALLER_GROUP = 4 / 3  # work of an elastic group with fewer workers: one more forward pass, a third of a step
DOUBT = 1.5  # factor between the likely value and its limits where nothing tells the spread


@dataclass(frozen=True)
class Forecast:
    """Hold how many GPU hours a trial will take (of machines without GPU: hours of a worker), and how that is known.

    ``low`` and ``high`` are the least and most that the same rates would give.
    """

    hours: float
    low: float
    high: float
    basis: str

    def times(self, factor: float) -> "Forecast":
        """Return the forecast of so many trials alike, or of such a part of one."""
        return Forecast(factor * self.hours, factor * self.low, factor * self.high, self.basis)


@dataclass(frozen=True)
class Remainder:
    """Hold the rest of a study: counts, GPU hours of the known trials, and the number of trials without an estimate.

    ``capped`` tells that the hours are those that ``search.max_gpu_hours`` leaves; ``by_the_clock`` are the hours that
    ``search.max_hours`` leaves, ``None`` without it.
    """

    totals: Totals
    hours: Forecast | None
    unknown: int
    capped: bool
    by_the_clock: float | None


def forecast(plan: Plan, rates: Mapping[str, Sequence[float]]) -> dict[str, Forecast]:
    """Return the time estimate of each trial; trials without an estimate are left out.

    ``rates`` are those of the store (``known_rates``). A trial's own first epochs count most, then trials alike, then
    ``scaling.seconds_per_step``.
    """
    likeness = Likeness(plan)
    found = {trial.id: _forecast(plan, trial, rates, likeness) for trial in plan.trials}
    return {trial: one for trial, one in found.items() if one is not None}


def _forecast(
    plan: Plan, trial: PlannedTrial, rates: Mapping[str, Sequence[float]], likeness: Likeness
) -> Forecast | None:
    steps = trial.estimate.steps
    if not steps:
        return None
    own, others = measured_at_full_size(trial), rates.get(likeness.of(trial), ())
    if own is not None:
        return _of(plan, steps, (own,), (own / 1.1, own * 1.1), "measured on this trial")
    if others:
        limits = (min(others), max(others)) if len(others) >= FEW else (min(others) / DOUBT, max(others) * DOUBT)
        many = f"{len(others)} trials" if len(others) > 1 else "one trial"
        return _of(plan, steps, others, limits, f"measured on {many} alike")
    given = plan.study.scaling.seconds_per_step
    return None if given is None else _of(plan, steps, (given,), (given / DOUBT, given * DOUBT), "given rate")


def _of(plan: Plan, steps: int, rates: Sequence[float], limits: tuple[float, float], basis: str) -> Forecast:
    hours = steps * plan.devices / HOUR_S
    most = limits[1] * (SMALLER_GROUP if plan.study.scaling.shares else 1.0)
    return Forecast(hours * median(rates), hours * limits[0], hours * most, basis)


def remainder(plan: Plan, found: Mapping[str, Forecast], rates: Mapping[str, Sequence[float]]) -> Remainder:
    """Return the remaining work, including the trials that an open search may still propose within the budget."""
    known: dict[str, list[Forecast]] = {"teacher": [], "student": []}
    unknown = 0
    for trial in left(plan):
        if trial.id in found:
            known[trial.role].append(found[trial.id].times(_part_left(trial)))
        elif trial.estimate.steps != 0:
            unknown += 1
    for one in further(plan):
        longest = _longest(plan, one, rates)
        known["student"] += [longest.times(one.count)] if longest else []
        unknown += 0 if longest else one.count
    students, capped = _capped(plan, known["student"], unknown)
    everything = [*known["teacher"], *students]
    return Remainder(
        totals(plan),
        _total(everything) if everything else None,
        0 if capped else unknown,
        capped,
        Budget(plan).clock_hours_left,
    )


def _longest(plan: Plan, one: Further, rates: Mapping[str, Sequence[float]]) -> Forecast | None:
    likeness = Likeness(plan)
    found = [expected for probe in one.probes if (expected := _forecast(plan, probe, rates, likeness)) is not None]
    return max(found, key=lambda expected: expected.hours, default=None)


def _part_left(trial: PlannedTrial) -> float:
    steps, rest = trial.estimate.steps, steps_left(trial)
    return 1.0 if not steps or rest is None else rest / steps


def _capped(plan: Plan, students: list[Forecast], unknown: int) -> tuple[list[Forecast], bool]:
    """Return the students' hours, or the rest of ``search.max_gpu_hours`` if that is less or theirs are unknown."""
    most = Budget(plan).hours_left
    if most is None or not (students or unknown) or (not unknown and _total(students).high <= most):
        return students, False
    if unknown or _total(students).hours > most:
        return [
            Forecast(most, most if unknown else min(most, _total(students).low), most, "search.max_gpu_hours")
        ], True
    whole = _total(students)
    return [Forecast(whole.hours, whole.low, most, whole.basis)], True


def _total(found: Iterable[Forecast]) -> Forecast:
    each = list(found)
    hours, low, high = (sum(getattr(one, name) for one in each) for name in ("hours", "low", "high"))
    return Forecast(hours, low, high, ", ".join(sorted({one.basis for one in each})))


def total_line(plan: Plan, found: Mapping[str, Forecast], rates: Mapping[str, Sequence[float]] | None = None) -> str:
    """Return a sentence on all trials that are still to run, at most those that an open search may still come to."""
    rest = remainder(plan, found, rates or {})
    if not rest.totals.trials_left:
        reason = Budget(plan).reason
        return f"nothing left to run: {reason}" if reason else "nothing left to run"
    return f"{_total_line(plan, rest)}{_clock(rest)}"


def _clock(rest: Remainder) -> str:
    if rest.by_the_clock is None:
        return ""
    return f"; search.max_hours leaves {counted(rest.by_the_clock, 'hour')} by the clock"


def _total_line(plan: Plan, rest: Remainder) -> str:
    bound = rest.totals.at_most
    trials = f"left: at most {counted(rest.totals.trials_left, 'trial')}" if bound else ""
    if rest.hours is None:
        time = "time: unknown; run a trial, or give scaling.seconds_per_step"
        return f"{trials}; {time}" if bound else time
    hours = rest.hours
    price = plan.study.scaling.cost_per_gpu_hour
    cost = (
        ""
        if price is None
        else f", cost {price * hours.hours:.2f} ({price * hours.low:.2f} to {price * hours.high:.2f})"
    )
    unknown = f"; {counted(rest.unknown, 'trial')} unknown" if rest.unknown else ""
    unit = "GPU" if plan.resources.gpus_per_worker else "worker"
    amount = f"about {_duration(hours, unit)}{cost}{unknown}; {hours.basis}"
    return f"{trials}, at most {amount}" if bound else f"left: {amount}"


def _duration(found: Forecast, unit: str) -> str:
    """Write an estimate with its bounds: in minutes where all of them are below an hour."""
    factor, name = (60, "minutes") if found.high < 1 else (1, "hours")
    about, low, high = (factor * hours for hours in (found.hours, found.low, found.high))
    return f"{about:.2g} {unit} {name} ({low:.2g} to {high:.2g})"


def forecast_json(plan: Plan, found: Mapping[str, Forecast]) -> dict[str, Any]:
    """Return the forecast as ``plan --json`` prints it."""
    price = plan.study.scaling.cost_per_gpu_hour
    return {trial: _priced(one, price) for trial, one in found.items()}


def totals_json(plan: Plan, found: Mapping[str, Forecast], rates: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the totals of existing and remaining work, as ``plan --json`` prints them."""
    rest = remainder(plan, found, rates)
    hours = None if rest.hours is None else _priced(rest.hours, plan.study.scaling.cost_per_gpu_hour)
    return {
        **rest.totals.to_json(),
        "hours_left": hours,
        "trials_of_unknown_length": rest.unknown,
        "clock_hours_left": rest.by_the_clock,
    }


def _priced(one: Forecast, price: float | None) -> dict[str, Any]:
    return dict(vars(one)) | ({} if price is None else {"cost": price * one.hours})
