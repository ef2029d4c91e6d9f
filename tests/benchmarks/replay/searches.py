"""Run one drawn study under one search, and say what it cost and whether the right point won."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from types import MappingProxyType

from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.race import race_state, rounds_in
from tests.benchmarks.replay.curves import ALPHA1, ALPHA2, EPOCHS, POINTS, SEEDS, Drawn, Point, point_of
from tests.benchmarks.replay.virtual import Training, VirtualTune, fresh
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import SELECTION_METRIC

STUDY = f"""
name: replayed
dataset: {{kind: shapes, train_images: 80}}
teacher: {{kind: random, detector: {{config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}}}
student: {{config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}
method: {{kind: bckd}}
schedule: {{epochs: {EPOCHS}, batch_size: 8, policy: {{kind: constant}}}}
search:
  baseline: false
  seeds: {list(SEEDS)}
  space: {{method.alpha1: {list(ALPHA1)}, method.alpha2: {list(ALPHA2)}}}
"""
SEARCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "grid": (),
        "grid, two seeds": ("search.seeds=[0, 1]",),
        "grid, one seed": ("search.seeds=[0]",),
        "random, half the points": ("search.algorithm=random", "search.samples=8"),
        "Optuna, half the points": ("search.algorithm=optuna", "search.samples=8"),
        "PBT, 8 members": (
            "search.algorithm=pbt", "search.samples=8", "search.seeds=[0]", "search.population={every_epochs: 3}",
        ),
        "HyperBand": ("search.scheduler={kind: hyperband}",),
        "ASHA": ("search.scheduler={kind: asha}",),
        "PASHA": ("search.scheduler={kind: pasha}",),
        "racing": ("search.racing={}",),
        "racing, confidence 0.8": ("search.racing={confidence: 0.8}",),
        "racing + ASHA": ("search.racing={}", "search.scheduler={kind: asha}"),
        "racing + PASHA": ("search.racing={}", "search.scheduler={kind: pasha}"),
        "racing + PASHA, chosen keys": (
            "search.racing={confidence: 0.7}", "search.scheduler={kind: pasha, grace_epochs: 8, finalists: 11}",
        ),
    }
)  # fmt: skip
WHOLE = len(POINTS) * len(SEEDS) * EPOCHS


@dataclass(frozen=True)
class Outcome:
    """Hold what a search cost in one study, ``epochs`` as a share of all of the grid's, and how good its winner is."""

    trainings: int
    epochs: float
    clock: float
    right: bool
    shortfall: float


@cache
def plan_of(folder: Path, sets: tuple[str, ...]) -> Plan:
    """Return the plan of a search; all studies have the same trials, and different curves."""
    folder.mkdir(parents=True, exist_ok=True)
    return plan_text(folder, STUDY, *sets)


def replay(folder: Path, sets: tuple[str, ...], drawn: Drawn) -> Outcome:
    """Run a study under a search from its beginning to its end."""
    plan = fresh(plan_of(folder, sets))
    shutil.rmtree(folder / "store", ignore_errors=True)
    tune = VirtualTune(plan, drawn)
    tune.run()
    best = winner(plan, list(tune.trainings.values()))
    return Outcome(len(tune.trainings), tune.epochs / WHOLE, tune.clock, drawn.is_right(best), drawn.shortfall(best))


def winner(plan: Plan, trainings: list[Training]) -> Point | None:
    """Return the point with the highest mean over its finished trials; of a race one that is still in it."""
    scores: dict[Point, list[float]] = {}
    for training in trainings:
        if training.records and training.records[-1].epoch == EPOCHS:
            best = max(record.metrics[SELECTION_METRIC] for record in training.records)
            scores.setdefault(point_of(training.planned.spec), []).append(best)
    racing = _in_race(plan)
    means = {point: fmean(found) for point, found in scores.items() if racing is None or point in racing}
    return max(means, key=lambda point: means[point], default=None)


def _in_race(plan: Plan) -> set[Point] | None:
    if not plan.race:
        return None
    state, _ = race_state(plan.study.search, plan.race, rounds_in(SearchLog(plan.search_log).read()))
    return {point_of(point.trials[0].spec) for point in plan.race if point.key in state.stays}
