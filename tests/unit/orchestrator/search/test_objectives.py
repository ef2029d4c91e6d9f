"""Each objective has its sign: what is better is higher, and a trial without a result has none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.search.suggestions import _value
from trainers.schema.costs import COSTS
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

AP, LOSS = "coco/bbox_mAP", "loss/total"
RECORDS = [
    Record(1, 10, {AP: 0.2, LOSS: 3.0}, {"time/train_s": 5.0, "time/load_s": 1.0}),
    Record(2, 20, {AP: 0.5, LOSS: 2.0}, {"time/train_s": 4.0}),
    Record(3, 30, {AP: 0.4, LOSS: 1.0}, {"time/train_s": 3.0}),
    Record(4, 40, {}, {"time/train_s": 2.0}, final=True),
]


def trial(folder: Path, status: str | None = "finished", records: list[Record] = RECORDS) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / HISTORY).write_text(to_lines(records))
    if status:
        write_outcome(folder, Outcome(status))
    return SimpleNamespace(directory=folder, spec=SimpleNamespace(student="student"))


COSTS_OF = SimpleNamespace(of=lambda student: {"student": None}[student])


@pytest.mark.parametrize(
    ("objective", "metric", "last", "value"),
    [
        (AP, AP, False, 0.5),
        (AP, AP, True, 0.4),
        (LOSS, LOSS, False, -2.0),  # of the student that is kept: that of the best AP
        (LOSS, LOSS, True, -1.0),
        ("steps", AP, False, -40.0),
        ("seconds", AP, False, -15.0),
    ],
)
def test_higher_is_better_in_every_objective(objective, metric, last, value, tmp_path):
    assert _value(trial(tmp_path), objective, COSTS_OF, metric, last=last) == value


@pytest.mark.parametrize("name", COSTS)
def test_a_detector_that_costs_less_is_better_and_one_that_was_not_measured_has_no_value(name, tmp_path, monkeypatch):
    found = {"student": 7.0}
    monkeypatch.setattr(
        "orchestrator.search.suggestions.cost_value", lambda cost, objective: cost if objective == name else None
    )
    one = trial(tmp_path)
    assert _value(one, name, SimpleNamespace(of=found.get), AP, last=False) == -7.0
    assert _value(one, name, SimpleNamespace(of={}.get), AP, last=False) is None


@pytest.mark.parametrize(
    ("status", "last", "has"),
    [
        ("failed", False, False),
        ("stopped", False, True),
        ("stopped", True, False),
        (None, False, True),
        (None, True, False),
    ],
)
def test_a_trial_counts_by_how_it_ended(status, last, has, tmp_path):
    assert (_value(trial(tmp_path, status), AP, COSTS_OF, AP, last=last) is not None) is has


def test_a_trial_without_a_measurement_has_no_value(tmp_path):
    for objective in (AP, "steps", "seconds"):
        assert _value(trial(tmp_path, records=RECORDS[-1:]), objective, COSTS_OF, AP, last=False) is None
        assert _value(trial(tmp_path, records=[]), objective, COSTS_OF, AP, last=False) is None
