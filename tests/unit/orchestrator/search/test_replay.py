"""Searches on a virtual clock end, decide by drawn results, and train each trial once."""

import os
from pathlib import Path

import pytest

from orchestrator.plan.journal import SearchLog
from tests.benchmarks.replay.curves import EPOCHS, Drawn
from tests.benchmarks.replay.recorded import fitted, parts
from tests.benchmarks.replay.searches import SEARCHES, plan_of, winner
from tests.benchmarks.replay.virtual import VirtualTune, fresh


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.parametrize("search", SEARCHES)
def test_every_search_ends_with_a_winner_that_was_trained_to_its_end(search: str, tmp_path: Path) -> None:
    plan = fresh(plan_of(tmp_path, SEARCHES[search]))
    tune = VirtualTune(plan, Drawn(fitted("bccd"), 3))
    tune.run()
    trainings = list(tune.trainings.values())
    assert {one.status for one in trainings} == {"TERMINATED"}
    # the epoch in which a trial fails gives no record
    assert tune.epochs == sum(len(one.records) for one in trainings) + failed(tmp_path / "store" / "trials")
    assert winner(plan, trainings) is not None
    assert max(one.records[-1].epoch for one in trainings if one.records) == EPOCHS
    log = SearchLog(plan.search_log).read()
    assert bool(log) == bool(search not in ("grid", "grid, one seed", "grid, two seeds", "random, half the points"))


def failed(trials: Path) -> int:
    """Return how many trials failed: their last epoch gave no record."""
    return sum('"failed"' in path.read_text() for path in trials.glob("*/outcome.json"))


def test_a_table_is_taken_apart_into_points_seeds_and_a_rest() -> None:
    additive = [[0.1 * point + 0.01 * seed for seed in range(3)] for point in range(4)]
    points, seed, rest = parts(additive)
    assert (points, seed) == (pytest.approx(0.129099, abs=1e-6), pytest.approx(0.01))
    assert rest == pytest.approx(0.0, abs=1e-12)
