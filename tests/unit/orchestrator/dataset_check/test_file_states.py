"""The sizes and times of many files are the same however they are asked for, and asking ends in time."""

import os
import time
from pathlib import Path

import pytest

from orchestrator.dataset_check import many_files
from orchestrator.dataset_check.file_states import GONE, states
from orchestrator.dataset_check.many_files import BLOCK, asked
from tests.clock import own_clock


@pytest.mark.parametrize("slow", [-1.0, 9.0])
@pytest.mark.parametrize("count", [0, 1, 2 * BLOCK + 1])
def test_files_are_told_in_order(slow: float, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_files, "SLOW_S", slow)
    paths = [tmp_path / str(number) for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(b"x" * (number % 7))
        os.utime(path, (number, number))
    expected = [(number % 7, number * 10**9) for number in range(count)]
    assert states([*map(str, paths), str(tmp_path / "gone")], time.time() + 60) == [*expected, GONE]


@pytest.mark.parametrize("slow", [-1.0, 9.0])
def test_a_look_ends_at_its_deadline(slow: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_files, "SLOW_S", slow)
    clock = iter(range(1000))
    own_clock(monkeypatch, many_files, time=lambda: next(clock))
    with pytest.raises(TimeoutError):
        states([str(tmp_path)] * 5 * BLOCK, deadline=2)


@pytest.mark.parametrize("slow", [-1.0, 9.0])
def test_the_answers_in_time_are_those_of_the_first_files(slow: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many_files, "SLOW_S", slow)
    paths = [str(number) for number in range(3 * BLOCK)]
    late, clock = BLOCK + 7, [0]
    own_clock(monkeypatch, many_files, time=lambda: clock[0])

    def question(path: str) -> str:
        clock[0] = max(clock[0], 9 * (int(path) == late))
        return path

    assert asked(paths, question, deadline=1) == paths[: late + 1]
