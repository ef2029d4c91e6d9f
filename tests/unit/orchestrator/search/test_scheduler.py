"""A scheduler decides after any kill what it would have decided undisturbed."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from ray.tune.schedulers import ASHAScheduler, HyperBandScheduler

from orchestrator.plan.journal import SearchLog
from orchestrator.search.pasha import PashaScheduler
from orchestrator.search.scheduler import RememberingScheduler
from orchestrator.study.schema import Pasha
from tests.unit.orchestrator.search.simulated import METRIC, Killed, Simulation
from trainers.schema.record import Record

Scores = dict[str, list[float]]


@pytest.fixture(autouse=True)
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def asha() -> Any:
    return ASHAScheduler(time_attr="epoch", metric=METRIC, mode="max", grace_period=1, reduction_factor=2, max_t=9)


def hyperband() -> Any:
    return HyperBandScheduler(time_attr="epoch", metric=METRIC, mode="max", max_t=9, reduction_factor=3)


def pasha() -> Any:
    rule = Pasha(kind="pasha", reduction_factor=2)
    return PashaScheduler(rule, 9, [f"t{number}" for number in range(7)], time="epoch", metric=METRIC)


def curves(trials: int, epochs: int, seed: int) -> Scores:
    generator = random.Random(seed)
    return {
        f"t{number}": [generator.random() * (0.5 + epoch / epochs) for epoch in range(epochs)]
        for number in range(trials)
    }


def simulation(make: Any, scores: Scores, folder: Path, on_disk: dict[str, int], slots: int) -> Simulation:
    scheduler = RememberingScheduler(make(), SearchLog(folder / "search.jsonl"), METRIC)
    return Simulation(scheduler, scores, on_disk, folder, slots)


def undisturbed(make: Any, scores: Scores, folder: Path, slots: int) -> dict[str, int]:
    found = simulation(make, scores, folder / "undisturbed", {}, slots)
    found.run()
    return found.stopped


@pytest.mark.parametrize(("make", "slots"), [(asha, 1), (pasha, 1), (pasha, 3), (hyperband, 1), (hyperband, 3)])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_kill_after_any_result_changes_no_decision(make: Any, slots: int, seed: int, tmp_path: Path) -> None:
    scores = curves(7, 9, seed)
    expected = undisturbed(make, scores, tmp_path, slots)
    assert len(set(expected.values())) > 1  # some were stopped, at different epochs
    for kill_at in range(1 + seed, sum(expected.values()) + 1, 2):
        folder, on_disk = tmp_path / str(kill_at), dict[str, int]()
        with pytest.raises(Killed):
            simulation(make, scores, folder, on_disk, slots).run(kill_at)
        again = simulation(make, scores, folder, on_disk, slots)
        again.run()
        assert again.stopped == expected
        assert on_disk == expected


def test_many_kills_in_a_row_change_no_decision(tmp_path: Path) -> None:
    for make in (asha, pasha, hyperband):
        scores = curves(7, 9, 3)
        expected = undisturbed(make, scores, tmp_path / make.__name__, 1)
        folder, on_disk = tmp_path / make.__name__ / "killed", dict[str, int]()
        for _ in range(sum(expected.values()) // 2):
            with pytest.raises(Killed):
                simulation(make, scores, folder, on_disk, 1).run(kill_at=2)
        last = simulation(make, scores, folder, on_disk, 1)
        last.run()
        assert last.stopped == expected


def test_a_line_that_was_cut_off_counts_as_not_written(tmp_path: Path) -> None:
    events = SearchLog(tmp_path / "log.jsonl")
    events.append(event="add", trial="a")
    events.append(event="add", trial="b")
    whole = events.path.read_bytes()
    for cut in range(1, len(whole)):
        events.path.write_bytes(whole[:cut])
        fresh = SearchLog(events.path)
        kept = [event["trial"] for event in fresh.read()]
        assert kept == ["a", "b"][: whole[:cut].count(b"\n")]
        fresh.append(event="add", trial="c")
        assert [json.loads(line)["trial"] for line in events.path.read_text().splitlines()] == [*kept, "c"]


def test_without_a_log_histories_take_their_place_in_the_order_of_time(tmp_path: Path) -> None:
    scheduler = RememberingScheduler(asha(), SearchLog(tmp_path / "log.jsonl"), METRIC)
    good = [Record(epoch, epoch, {METRIC: 0.5}, wall_time=epoch, final=epoch == 9) for epoch in range(1, 10)]
    scheduler.absorb({"good": good, "weak": [Record(1, 1, {METRIC: 0.1}, wall_time=1.5)]})
    again = Simulation(scheduler, {"poor": [0.4] * 9, "better": [0.6] * 9}, {}, tmp_path, 1)
    again.run()
    assert again.stopped == {
        "poor": 2,
        "better": 9,
    }  # of 0.5 and 0.1 the better half begins at 0.3, after rung 2 at 0.5


def test_a_failed_trial_that_is_tried_again_joins_anew(tmp_path: Path) -> None:
    events = SearchLog(tmp_path / "log.jsonl")
    first = Simulation(RememberingScheduler(hyperband(), events, METRIC), curves(4, 9, 0), {}, tmp_path, 1)
    scheduler = first._scheduler
    for trial in first.trials:
        scheduler.on_trial_add(first, trial)
    failed = first.trials[0]
    failed.status = "RUNNING"
    scheduler.on_trial_error(first, failed)
    assert [event["event"] for event in events.read()] == ["add"] * 4 + ["failed"]
    again = simulation(hyperband, curves(4, 9, 0), tmp_path, {}, 1)
    again._scheduler = RememberingScheduler(hyperband(), events, METRIC)
    again.run()
    assert set(again.stopped) == {"t0", "t1", "t2", "t3"}


def test_all_that_go_on_after_a_pause_are_told_before_the_first_of_them_starts(tmp_path: Path) -> None:
    told: list[tuple[str, list[str]]] = []
    events = SearchLog(tmp_path / "log.jsonl")

    def resumed(trial_id: str) -> None:
        told.append((trial_id, [trial.name for trial in run.trials if trial.status == "RUNNING"]))

    scores = {f"t{number}": [0.1 * number] * 9 for number in range(17)}
    run = Simulation(RememberingScheduler(hyperband(), events, METRIC, resumed), scores, {}, tmp_path, 1)
    run.run()
    # by hand: of brackets of 5 and 9 the best third goes on, the last without a pause; later it waits for the two others
    assert told == [("t6", []), ("t14", []), ("t15", []), ("t16", [])]
    assert [name for name in scores if run.stopped[name] == 1] == [f"t{number}" for number in range(8, 14)]
