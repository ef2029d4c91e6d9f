"""Prove that a trial's files are whole or absent, and that the history never runs ahead of what can be resumed."""

from pathlib import Path

import pytest
import torch

from trainers.checkpoints import FORMAT, TrialFiles
from trainers.errors import TrialError
from trainers.spec.atomic import write_atomically, write_text
from trainers.spec.record import (
    HISTORY,
    OUTCOME,
    PROGRESS,
    RESUME,
    SELECTION_METRIC,
    Outcome,
    Record,
    best_record,
    read_history,
    read_outcome,
    read_status,
    write_outcome,
)


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

    def fail(_content: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise RuntimeError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", fail)
        with pytest.raises(RuntimeError):
            files.commit({"step": 4}, [record(1), record(2)])
    assert read_history(tmp_path) == [record(1)]
    found = files.resume()
    assert found is not None
    assert found[0]["step"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [HISTORY, RESUME]


# ------------------------------------------------------------------------------------------------------ a trial's files


def test_a_committed_state_comes_back_with_its_history(tmp_path: Path) -> None:
    files = TrialFiles(tmp_path / "deep" / "down")
    assert files.resume() is None
    history = [record(1, 0.1 + 0.2), record(2, None)]
    files.commit({"step": 4, "student": {"w": torch.arange(3.0)}}, history)
    found = TrialFiles(tmp_path / "deep" / "down").resume()
    assert found is not None
    state, again = found
    assert again == history == read_history(tmp_path / "deep" / "down")
    assert state["step"] == 4
    assert torch.equal(state["student"]["w"], torch.arange(3.0))


def test_resuming_writes_nothing(tmp_path: Path) -> None:
    files = TrialFiles(tmp_path)
    files.commit({"step": 2}, [record(1)])
    (tmp_path / HISTORY).unlink()
    files.resume()  # every worker reads; one that wrote as well would race with rank 0
    assert [path.name for path in tmp_path.iterdir()] == [RESUME]


def test_another_format_is_refused(tmp_path: Path) -> None:
    torch.save({"format": FORMAT + 1}, tmp_path / RESUME)
    with pytest.raises(TrialError, match=f"has format {FORMAT + 1}, this release reads {FORMAT}"):
        TrialFiles(tmp_path).resume()


def test_a_damaged_state_is_told(tmp_path: Path) -> None:
    files = TrialFiles(tmp_path)
    files.commit({"step": 2}, [record(1)])
    (tmp_path / RESUME).write_bytes((tmp_path / RESUME).read_bytes()[:50])
    with pytest.raises(TrialError, match=r"resume\.pt is damaged"):
        files.resume()


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
    assert sorted(path.name for path in tmp_path.iterdir()) == [HISTORY, OUTCOME]
    assert not (tmp_path / PROGRESS).exists()
