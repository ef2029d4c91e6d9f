"""A trial's reader goes on where its records on disk end, and leaves the end of a training to a trainer."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.worker_groups import records as module
from orchestrator.worker_groups.broker import Reply
from orchestrator.worker_groups.queue import Slot
from orchestrator.worker_groups.records import record_stream
from tests.unit.trainers.tiny import job, trial
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

HISTORY_OF_TWO = [Record(1, 10, {}), Record(2, 20, {}, final=True)]


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[Slot]:
    """Return the slots that come to a broker, whose host sends the last record."""
    slots: list[Slot] = []
    replies = [Reply(HISTORY_OF_TWO[-1]), Reply()]
    calls: dict[str, Any] = {
        "enqueue": slots.append,
        "take": lambda *_: replies.pop(0),
        "leave": lambda *_: None,
    }
    broker = SimpleNamespace(**{name: SimpleNamespace(remote=call) for name, call in calls.items()})
    monkeypatch.setattr(module, "ray", SimpleNamespace(get=lambda answer: answer, get_actor=lambda name: broker))
    return slots


def test_a_trial_whose_worker_died_behind_its_last_record_is_ended_by_another(
    tmp_path: Path, enqueued: list[Slot]
) -> None:
    """Its student and its outcome are missing: read as finished, it would end as one that was stopped."""
    (tmp_path / HISTORY).write_text(to_lines(HISTORY_OF_TWO))
    assert list(record_stream(job(trial(), tmp_path), "broker", 0)) == HISTORY_OF_TWO
    assert [slot.after for slot in enqueued] == [10]


def test_a_trial_that_has_ended_needs_no_host(tmp_path: Path, enqueued: list[Slot]) -> None:
    (tmp_path / HISTORY).write_text(to_lines(HISTORY_OF_TWO))
    write_outcome(tmp_path, Outcome("finished"))
    assert list(record_stream(job(trial(), tmp_path), "broker", 0)) == HISTORY_OF_TWO
    assert enqueued == []
