"""What a trial leaves on disk is read back as it was, whole or not at all."""

import pytest

from trainers.schema.atomic import write_atomically, write_text
from trainers.schema.record import (
    HISTORY,
    OUTCOME,
    Outcome,
    Record,
    TakenOver,
    best_record,
    read_history,
    read_outcome,
    read_status,
    steps_of_others,
    taken_over,
    to_lines,
    write_outcome,
)

AP = "coco/bbox_mAP"


def scored(*values: float | None) -> list[Record]:
    """Return a history with these APs; ``None`` for an epoch without an evaluation."""
    metrics = [{"loss/total": 1.0} if value is None else {AP: value} for value in values]
    return [Record(epoch=n, step=10 * n, metrics=found) for n, found in enumerate(metrics, start=1)]


def test_history_is_read_back_to_the_last_bit(tmp_path):
    history = [
        Record(1, 20, {AP: 0.1 + 0.2, "loss/total": 1e-300}, {"time/train_s": 1 / 3}, wall_time=1700000000.123456),
        Record(2, 40, {}, final=True),
    ]
    (tmp_path / HISTORY).write_text(to_lines(history))
    assert read_history(tmp_path) == history
    assert read_history(str(tmp_path)) == history


def test_a_new_trial_has_no_history_and_no_outcome(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert read_history(folder) == []
        assert read_outcome(folder) is None
        assert read_status(folder) == "new"


@pytest.mark.parametrize("status", ["finished", "stopped", "failed"])
def test_outcome_is_read_back_and_is_the_status(tmp_path, status):
    (tmp_path / HISTORY).write_text(to_lines(scored(0.5)))
    assert read_status(tmp_path) == "unfinished"
    write_outcome(tmp_path, Outcome(status, 'said "why"\nin two lines'))
    assert read_outcome(tmp_path) == Outcome(status, 'said "why"\nin two lines')
    assert read_status(tmp_path) == status


def test_a_later_outcome_replaces_the_earlier_and_leaves_nothing_beside_it(tmp_path):
    write_outcome(tmp_path, Outcome("failed", "x" * 1000))
    write_outcome(tmp_path, Outcome("finished"))
    assert read_outcome(tmp_path) == Outcome("finished")
    assert [path.name for path in tmp_path.iterdir()] == [OUTCOME]


@pytest.mark.parametrize(
    ("values", "epoch"),
    [((0.0,), 1), ((None, 0.0), 2), ((0.2, 0.5, 0.5), 2), ((0.5, 0.2), 1), ((None, 0.0, 0.1, None), 3)],
)
def test_the_best_record_has_the_highest_ap_and_is_the_earliest_of_equals(values, epoch):
    found = best_record(scored(*values))
    assert found is not None
    assert found.epoch == epoch


def test_without_an_evaluation_no_record_is_best():
    assert best_record([]) is None
    assert best_record(scored(None, None)) is None


def test_the_best_record_of_another_metric():
    history = [Record(1, 1, {AP: 0.9, "voc/mAP": 0.1}), Record(2, 2, {AP: 0.1, "voc/mAP": 0.9})]
    assert best_record(history, "voc/mAP") is history[1]


def test_a_file_whose_writing_fails_stays_as_it_was(tmp_path):
    target = tmp_path / "file"
    write_text(target, "old")

    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(target, fail)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_seconds_of_all_workers_count_those_that_the_record_knows():
    timing = {"time/train_s": 3.0, "time/load_s": 1.0}
    plain = Record(epoch=1, step=2, metrics={}, timing=timing)
    assert plain.worker_s(2) == 8.0
    assert Record(epoch=1, step=2, metrics={}, timing=timing, workers=1.5).worker_s(2) == 6.0
    assert Record(epoch=1, step=2, metrics={}).worker_s(2) == 0.0


def test_steps_of_others_and_who_made_them_last():
    def records(*by):
        return [Record(epoch=n, step=3 * n, metrics={}, trained_by=name) for n, name in enumerate(by, start=1)]

    assert (steps_of_others([]), taken_over([])) == (0, None)
    own = records(None, None)
    assert (steps_of_others(own), taken_over(own)) == (0, None)
    both = records("a", "b", None)
    assert (steps_of_others(both), taken_over(both)) == (6, TakenOver("b", 2))
    others = records("a", "a")
    assert (steps_of_others(others), taken_over(others)) == (6, TakenOver("a", 2))
