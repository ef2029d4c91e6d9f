"""Waiting for data is told from training."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.trainers.tiny import EPOCHS, STEPS_PER_EPOCH, job, trial
from trainers.data.loaders import TrainStream
from trainers.data.waiting import Waited
from trainers.loop.loop import train_alone

SLOW_S = 0.05


def slowly(items: Iterator[int]) -> Iterator[int]:
    for item in items:
        time.sleep(SLOW_S)
        yield item


def test_it_counts_what_items_take_and_nothing_else() -> None:
    waited = Waited(slowly(iter(range(3))))
    found = []
    for item in waited:
        found.append(item)
        time.sleep(SLOW_S)
    assert found == [0, 1, 2]
    assert 3 * SLOW_S <= waited.seconds < 6 * SLOW_S


def test_records_say_how_long_loading_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = TrainStream.batches
    monkeypatch.setattr(TrainStream, "batches", lambda *args: slowly(batches(*args)))
    history = train_alone(job(trial(), tmp_path))
    assert len(history) == EPOCHS
    for record in history:
        assert record.timing["time/load_s"] >= STEPS_PER_EPOCH * SLOW_S
        assert record.timing["time/train_s"] > 0.0
