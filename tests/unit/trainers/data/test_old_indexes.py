"""Of the indexes of a machine those go that are many and were not used for long, and what dead processes left."""

import os
import time
from pathlib import Path

import pytest

from trainers.data import sample_index
from trainers.data.sample_index import KEPT_S, MOST, _remove_old


def index(folder: Path, name: str, age_s: float) -> Path:
    (folder / name).mkdir()
    (folder / name / "meta.json").touch()
    used = time.time() - age_s
    os.utime(folder / name, (used, used))
    return folder / name


OLD, YOUNG = KEPT_S + 100, KEPT_S - 100


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sample_index, "MOST", 2)
    (tmp_path / "lock").touch()
    return tmp_path


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_old_indexes_beyond_the_most_go_and_the_last_used_stay(folder):
    new = index(folder, "new", 0)
    for number in range(4):
        index(folder, f"old-{number}", OLD + number)
    _remove_old(new)
    assert kept(folder) == ["new", "old-0"]
    assert (folder / "lock").exists()


def test_young_ones_stay_however_many_there_are(folder):
    new = index(folder, "new", 0)
    for number in range(4):
        index(folder, f"young-{number}", YOUNG - number)
    _remove_old(new)
    assert len(kept(folder)) == 5


def test_leftovers_of_dead_processes_go_when_they_are_old(folder):
    new = index(folder, "new", 0)
    index(folder, ".partial-dead", OLD)
    index(folder, ".partial-alive", YOUNG)
    _remove_old(new)
    assert kept(folder) == [".partial-alive", "new"]


def test_the_index_that_was_just_written_stays_whatever_the_clock_says(folder):
    new = index(folder, "new", OLD * 9)
    for number in range(4):
        index(folder, f"old-{number}", OLD)
    _remove_old(new)
    assert "new" in kept(folder)
    assert MOST > 2
