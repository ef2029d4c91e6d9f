"""A trial that dies anywhere between its last state and its end goes on, or has ended; nothing is half of both."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from trainers.schema.manifest import read_manifest
from trainers.schema.record import BEST, HISTORY, LAST, SELECTION_METRIC, Record, read_history, read_status
from trainers.schema.tidy import tidy_over
from trainers.state.checkpoints import TrialFiles

OPERATIONS = ((os, "fsync"), (Path, "replace"), (Path, "unlink"))


class Death(BaseException):
    """Stand for a kill: nothing catches it."""


def history(epochs: int) -> list[Record]:
    """The best epoch is the first one."""
    return [Record(epoch, 2 * epoch, {SELECTION_METRIC: 1 / epoch}, final=epoch == 3) for epoch in range(1, epochs + 1)]


def student(epoch: int) -> dict[str, Any]:
    return {"meta": {"epoch": epoch}, "state_dict": {"w": torch.full((3,), float(epoch))}}


def train(files: TrialFiles, first: int) -> None:
    """Train what is left of three epochs, and end."""
    for epoch in range(first, 4):
        best = (lambda: student(1)) if epoch == 1 else None
        files.commit({"step": 2 * epoch, "student": student(epoch)}, history(epoch), best)
        files.show_progress(2 * epoch, 6)
    files.save_student(LAST, student(3), 6)
    files.finish()


def train_anew(directory: Path) -> None:
    train(TrialFiles(directory), 1)


def go_on(directory: Path) -> None:
    """Do what the next process does: go on from what is there, or tidy up a trial that has ended."""
    if read_status(directory) == "finished":
        tidy_over(directory)
        return
    files = TrialFiles(directory)
    found = files.find()
    assert found.damage == ()
    files.take_up(found)
    files.check_best(found, None if found.state is None else lambda: student(1))
    train(files, 1 + (len(found.state.history) if found.state else 0))


def dies(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> bool:
    """Do something, and die in place of an operation on a file; return whether there were as many."""
    left = [number]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Death
            return None if left[0] < 0 else real(*arguments, **options)  # the dead do nothing more

        return operation

    with monkeypatch.context() as patch:
        for place, name in OPERATIONS:
            patch.setattr(place, name, counted(getattr(place, name)))
        try:
            act()
        except Death:
            return True
    return False


def content(directory: Path) -> dict[str, Any]:
    manifest = read_manifest(directory)
    students = {name: torch.load(directory / name)["meta"] for name in (BEST, LAST)}
    return {
        "files": sorted(path.name for path in directory.iterdir()),
        "students": students,
        "manifest": manifest,
        "history": read_history(directory),
    }


def test_from_every_moment_of_a_training_and_of_its_end_the_next_process_comes_to_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(TrialFiles(tmp_path / "undisturbed"), 1)
    expected = content(tmp_path / "undisturbed")
    assert expected["files"] == [BEST, HISTORY, LAST, "manifest.json", "outcome.json"]
    assert expected["students"] == {BEST: {"epoch": 1}, LAST: {"epoch": 3}}
    statuses, number, directory = set(), 1, tmp_path / "1"
    while dies(monkeypatch, number, partial(train_anew, directory)):
        statuses.add(read_status(directory))
        go_on(directory)
        assert content(directory) == expected
        number, directory = number + 1, tmp_path / str(number + 1)
    assert statuses == {"new", "unfinished", "finished"}
    assert number > 40
