"""Answer requests for costs without building a detector: numbers that follow from the width."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.plan import costs
from orchestrator.plan.model_process import ProcessEnd
from trainers.schema.costs import CostAnswer, CostRequest, CostUnit, DetectorCost, Latency

MILLION, BILLION = 1_000_000, 1_000_000_000


def cost_on_paper(unit: CostUnit) -> DetectorCost:
    """Return 10 M parameters, 100 G multiply-adds and 50 ms at width 1, which grow with its square."""
    share = unit.detector.width**2
    latency = Latency(
        median_ms=50 * share, min_ms=49 * share, spread_ms=share, repeats=5, threads=1, machine="A CPU on paper"
    )
    return DetectorCost(
        parameters=round(10 * MILLION * share),
        macs=round(100 * BILLION * share),
        input_size=unit.size,
        classes=unit.classes,
        latency=latency if unit.latency else None,
    )


@dataclass
class Measured:
    """Record which widths were measured, request by request."""

    requests: list[CostRequest] = field(default_factory=list)

    @property
    def widths(self) -> list[list[float]]:
        return [[unit.detector.width for unit in request.units] for request in self.requests]


def measuring_on_paper(
    monkeypatch: pytest.MonkeyPatch,
    cache: Path,
    answer: Callable[[CostUnit], CostAnswer] = lambda unit: CostAnswer(key=unit.key, cost=cost_on_paper(unit)),
) -> Measured:
    """Let every measurement of the test be made on paper, and remembered below ``cache`` only."""
    measured = Measured()

    def run(request: CostRequest, folder: Path) -> tuple[list[CostAnswer], ProcessEnd]:
        measured.requests.append(request)
        return [answer(unit) for unit in request.units], ProcessEnd(0, "")

    monkeypatch.setenv("STILLHOUSE_CACHE", str(cache))
    monkeypatch.setattr(costs, "_run", run)
    return measured
