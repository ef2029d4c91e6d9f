"""Show the costs of detectors, the same way on every surface: parameters, multiply-adds (MACs), latency on a CPU."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from trainers.schema.costs import CANDIDATES, COSTS, DetectorCost, cost_value

NOTHING = "-"
TITLES: Mapping[str, str] = MappingProxyType({"parameters": "params", "macs": "MACs", "latency_ms": "latency"})
METRIC_PREFIX = "cost/"  # of MLflow's metrics
STEPS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
ROUNDED_UP = 0.9995  # of the next thousand, which three digits show as 1000


def cost_json(cost: DetectorCost | None) -> dict[str, Any] | None:
    """Return a cost as ``--json`` prints it."""
    return None if cost is None else cost.model_dump(mode="json")


def cost_text(cost: DetectorCost | None, name: str) -> str:
    """Return one of a detector's costs with its unit: ``32.3 M``, ``208 G``, ``41.5 ms``."""
    value = cost_value(cost, name)
    if value is None:
        return NOTHING
    return f"{digits(value)} ms" if name == "latency_ms" else amount(value)


def amount(value: float) -> str:
    """Return a count with three digits and its thousands as a letter: ``999``, ``12.3 k``, ``38.0 M``."""
    for size, letter in STEPS:
        if value >= ROUNDED_UP * size:
            return f"{digits(value / size)} {letter}"
    return f"{value:.0f}"


def digits(value: float) -> str:
    """Return a number with three digits, and no decimals from 100 on."""
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def metrics_of(cost: DetectorCost) -> dict[str, float]:
    """Return the costs that are known as MLflow's metrics."""
    values = {name: cost_value(cost, name) for name in COSTS}
    return {f"{METRIC_PREFIX}{name}": value for name, value in values.items() if value is not None}


def says_more(cost: DetectorCost, than: DetectorCost | None) -> bool:
    """Return whether a cost has a part that another record of the same detector lacks; the first latency counts."""
    return than is None or (than.latency is None and cost.latency is not None)


def are_shown(costs: Iterable[DetectorCost | None]) -> bool:
    """Return whether a table of these detectors has columns for costs: where they are known, and differ."""
    found = {(cost.parameters, cost.macs) for cost in costs if cost is not None}
    return len(found) > 1


def cost_note(costs: Iterable[DetectorCost | None]) -> str:
    """Return in one sentence how the costs were measured; nothing where none was."""
    known = [cost for cost in costs if cost is not None]
    if not known:
        return ""
    sizes = ", ".join(dict.fromkeys(f"{cost.input_size[0]} x {cost.input_size[1]}" for cost in known))
    note = f"params: all weights of a detector; MACs: multiply-adds of a forward at {sizes}, heads included"
    latencies = [cost.latency for cost in known if cost.latency is not None]
    if not latencies:
        return f"{note}."
    machines = ", ".join(
        dict.fromkeys(
            f"{found.machine}, {found.threads} thread{'s' if found.threads > 1 else ''}" for found in latencies
        )
    )
    return f"{note}; latency: median for one image on {machines}, with decoding and suppression of {CANDIDATES} boxes."
