"""Say what the rest of a plan will take and cost, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from orchestrator.plan import Plan, PlannedTrial
from orchestrator.rates import alike, measured

HOUR_S = 3600.0
FEW = 3  # measurements: fewer say little about the spread
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


def forecast(plan: Plan, rates: Mapping[str, Sequence[float]]) -> dict[str, Forecast]:
    """Return what is known of each trial's length in time; trials of which nothing is known are left out.

    ``rates`` are those of the store (``known_rates``). A trial's own first epochs count most, then trials alike, then
    ``scaling.seconds_per_step``.
    """
    found = {trial.id: _forecast(plan, trial, rates) for trial in plan.trials}
    return {trial: one for trial, one in found.items() if one is not None}


def _forecast(plan: Plan, trial: PlannedTrial, rates: Mapping[str, Sequence[float]]) -> Forecast | None:
    steps = trial.estimate.steps
    if not steps:
        return None
    own, others = measured(trial), rates.get(alike(plan, trial), ())
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
    return Forecast(hours * median(rates), hours * limits[0], hours * limits[1], basis)


def total_line(plan: Plan, found: Mapping[str, Forecast]) -> str:
    """Return a sentence on all trials that are still to run."""
    left = [trial for trial in plan.trials if trial.status not in ("finished", "stopped")]
    known = [found[trial.id] for trial in left if trial.id in found]
    if not left:
        return "nothing is left to run"
    if not known:
        return "time: unknown; run a trial, or give scaling.seconds_per_step"
    low, likely, high = (sum(getattr(one, name) for one in known) for name in ("low", "hours", "high"))
    price = plan.study.scaling.cost_per_gpu_hour
    cost = "" if price is None else f", cost {price * likely:.2f} ({price * low:.2f} to {price * high:.2f})"
    unknown = f"; {len(left) - len(known)} trials unknown" if len(known) < len(left) else ""
    sources = ", ".join(sorted({one.basis for one in known}))
    unit = "GPU hours" if plan.resources.gpus_per_worker else "worker hours"
    return f"left: about {likely:.2g} {unit} ({low:.2g} to {high:.2g}){cost}{unknown}; {sources}"


def forecast_json(plan: Plan, found: Mapping[str, Forecast]) -> dict[str, Any]:
    """Return the forecast as ``plan --json`` prints it."""
    price = plan.study.scaling.cost_per_gpu_hour
    return {
        trial: dict(vars(one)) | ({} if price is None else {"cost": price * one.hours}) for trial, one in found.items()
    }
