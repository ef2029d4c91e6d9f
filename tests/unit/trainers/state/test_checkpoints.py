"""Prove that a trial's files are whole or absent, and that the history never runs ahead of what can be resumed."""

import errno
import os
from pathlib import Path
from typing import IO

import pytest
import torch

from trainers.schema.atomic import write_atomically, write_text
from trainers.schema.manifest import MANIFEST
from trainers.schema.record import (
    HISTORY,
    OUTCOME,
    PROGRESS,
    SELECTION_METRIC,
    Outcome,
    Record,
    best_record,
    read_history,
    read_outcome,
    read_status,
    write_outcome,
)
from trainers.state.checkpoints import TrialFiles


def record(epoch: int, ap: float | None = 0.1, final: bool = False) -> Record:
    metrics = {"loss/total": 1.0 / epoch} | ({} if ap is None else {SELECTION_METRIC: ap})
    return Record(epoch=epoch, step=2 * epoch, metrics=metrics, timing={"time/train_s": 0.1}, final=final)


# --------------------------------------------------------------------------------------------------- the best record


def test_zero_is_better_than_nothing() -> None:
    history = [record(1, None), record(2, 0.0), record(3, None)]
    assert best_record(history) is history[1]


def test_the_earliest_of_equals_is_best() -> None:
    history = [record(1, 0.1), record(2, 0.3), record(3, 0.3), record(4, 0.2)]
    assert best_record(history) is history[1]
    assert best_record([record(1, 0.0), record(2, 0.0)]) == record(1, 0.0)


def test_a_history_without_the_metric_has_no_best() -> None:
    assert best_record([]) is None
    assert best_record([record(1, None)]) is None


# ------------------------------------------------------------------------------------------------------ whole or absent


def test_a_failing_writer_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "file"
    write_text(target, "old")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write_atomically(target, fail)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_text() == "old"


def test_a_file_does_not_exist_before_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "file"

    def look(path: Path) -> None:
        path.write_text("half")
        assert not target.exists()
        path.write_text("whole")

    write_atomically(target, look)
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_state_that_cannot_be_written_leaves_history_and_state_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = TrialFiles(tmp_path)
    files.commit({"step": 2}, [record(1)])

    def fail(_content: object, stream: IO[bytes]) -> None:
        stream.write(b"half")
        raise RuntimeError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", fail)
        with pytest.raises(RuntimeError):
            files.commit({"step": 4}, [record(1), record(2)])
    assert read_history(tmp_path) == [record(1)]
    found = TrialFiles(tmp_path).find().state
    assert found is not None
    assert found.content["step"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [HISTORY, MANIFEST, "resume-2.pt"]


def full_disk(directory: Path, name: str) -> None:
    """Let the next writing of a file meet a full disk."""
    (directory / f".{name}.partial").symlink_to("/dev/full")


@pytest.mark.parametrize("name", ["resume-4.pt", "best.pth", HISTORY, MANIFEST])
def test_a_full_disk_keeps_the_last_state_and_names_the_file(name: str, tmp_path: Path) -> None:
    files = TrialFiles(tmp_path)
    state = {"student": {"w": torch.zeros(100_000)}}
    files.commit({"step": 2, **state}, [record(1)], lambda: state)
    full_disk(tmp_path, name)
    with pytest.raises(OSError, match=rf"No space left on device: '{tmp_path}/{name}'") as raised:
        files.commit({"step": 4, **state}, [record(1), record(2, 0.2)], lambda: state)
    assert raised.value.errno == errno.ENOSPC
    assert not list(tmp_path.glob(".*"))
    found = TrialFiles(tmp_path).find()
    assert found.damage == ()
    assert found.state is not None
    assert found.state.history[0] == record(1)
    assert read_history(tmp_path) == [record(1)]
    again = TrialFiles(tmp_path)  # with some space freed
    again.take_up(found)
    again.commit({"step": 4, **state}, [record(1), record(2, 0.2)], lambda: state)
    assert len(read_history(tmp_path)) == 2


def test_a_disk_that_is_full_when_it_flushes_keeps_the_last_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = TrialFiles(tmp_path)
    files.commit({"step": 2}, [record(1)])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*/resume-4\.pt'"):
        files.commit({"step": 4}, [record(1), record(2)])
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_progress_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    files = TrialFiles(tmp_path)
    (tmp_path / PROGRESS).mkdir()  # no file can take its place
    files.show_progress(3, 4)


# ------------------------------------------------------------------------------------------------------ a trial's files


def test_a_committed_state_comes_back_with_its_history(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "down"
    files = TrialFiles(directory)
    assert files.find().state is None
    history = [record(1, 0.1 + 0.2), record(2, None)]
    files.commit({"step": 4, "student": {"w": torch.arange(3.0)}}, history)
    found = TrialFiles(directory).find().state
    assert found is not None
    assert found.history == history == read_history(directory)
    assert found.content["step"] == 4
    assert torch.equal(found.content["student"]["w"], torch.arange(3.0))


def test_looking_for_a_state_writes_nothing(tmp_path: Path) -> None:
    TrialFiles(tmp_path).commit({"step": 2}, [record(1)])
    (tmp_path / HISTORY).unlink()
    TrialFiles(tmp_path).find()
    assert sorted(path.name for path in tmp_path.iterdir()) == [MANIFEST, "resume-2.pt"]


def test_the_last_two_states_are_kept(tmp_path: Path) -> None:
    files = TrialFiles(tmp_path)
    for epoch in range(1, 5):
        files.commit({"step": 2 * epoch}, [record(done) for done in range(1, epoch + 1)])
    assert sorted(path.name for path in tmp_path.glob("resume*")) == ["resume-6.pt", "resume-8.pt"]


def test_leftovers_of_a_death_are_removed_at_the_next_start(tmp_path: Path) -> None:
    files = TrialFiles(tmp_path)
    files.commit({"step": 2}, [record(1)])
    for name in ("resume-4.pt", ".resume-6.pt.partial", ".best.pth.partial", ".progress.json.partial"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("a user's own")
    again = TrialFiles(tmp_path)
    again.take_up(again.find())
    assert sorted(path.name for path in tmp_path.iterdir()) == [HISTORY, MANIFEST, "notes.txt", "resume-2.pt"]


def test_a_best_student_that_was_not_written_any_more_is_made_again(tmp_path: Path) -> None:
    files = TrialFiles(tmp_path)
    files.commit({"step": 2}, [record(1)], lambda: {"epoch": 1})

    def die() -> dict[str, int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.commit({"step": 4}, [record(1), record(2, 0.2)], die)
    again = TrialFiles(tmp_path)
    found = again.find()
    again.take_up(found)
    again.check_best(found, lambda: {"epoch": 2})
    assert torch.load(tmp_path / "best.pth") == {"epoch": 2}
    assert not (tmp_path / "events.jsonl").exists()  # nothing was damaged


def test_status_follows_a_trials_life(tmp_path: Path) -> None:
    assert read_status(tmp_path / "nowhere") == "new"
    files = TrialFiles(tmp_path)
    assert read_status(tmp_path) == "new"
    files.commit({"step": 2}, [record(1)])
    files.show_progress(3, 4)
    assert read_status(tmp_path) == "unfinished"
    write_outcome(tmp_path, Outcome("stopped", "rung 1"))
    assert read_status(tmp_path) == "stopped"
    assert read_outcome(tmp_path) == Outcome("stopped", "rung 1")
    files.commit({"step": 4}, [record(1), record(2, final=True)])
    files.finish()
    assert read_status(tmp_path) == "finished"
    assert sorted(path.name for path in tmp_path.iterdir()) == [HISTORY, MANIFEST, OUTCOME]
    assert not (tmp_path / PROGRESS).exists()
