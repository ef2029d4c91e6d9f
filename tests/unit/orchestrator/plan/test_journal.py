"""A decision is on disk when ``append`` returns, with the name of a new log; half a line counts as never written."""

import pytest

from orchestrator.plan.journal import SearchLog
from tests.unit.noted_disk import NotedDisk


def test_each_event_is_flushed_and_the_folder_of_a_new_log_once(tmp_path, monkeypatch):
    disk = NotedDisk(tmp_path, monkeypatch)
    log = SearchLog(tmp_path / "deep" / "search.jsonl")
    log.append(kind="asked", number=1)
    assert disk.take() == ["flush deep/search.jsonl", "flush deep/"]
    log.append(kind="told", number=2)
    assert disk.take() == ["flush deep/search.jsonl"]
    assert SearchLog(log.path).read() == [{"kind": "asked", "number": 1}, {"kind": "told", "number": 2}]


@pytest.mark.parametrize("rest", [b'{"number": 2', b'{"number": 2}', b"[2]\n", b"\xff\n", b'{"a\n{"number": 3}\n'])
def test_half_a_line_and_everything_after_it_is_cut_off_before_the_next_event(rest, tmp_path):
    path = tmp_path / "search.jsonl"
    SearchLog(path).append(number=1)
    with path.open("ab") as file:
        file.write(rest)
    log = SearchLog(path)
    assert log.read() == [{"number": 1}]
    log.append(number=4)
    log.append(number=5)
    assert path.read_bytes() == b'{"number": 1}\n{"number": 4}\n{"number": 5}\n'


def test_a_line_that_met_a_full_disk_is_cut_off_by_the_same_process(tmp_path, monkeypatch):
    log = SearchLog(tmp_path / "search.jsonl")
    log.append(number=1)

    def full(descriptor: int) -> None:
        log.path.write_bytes(log.path.read_bytes()[:-3])  # the end of the line found no room
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            log.append(number=2)
    log.append(number=3)
    assert log.read() == [{"number": 1}, {"number": 3}]


def test_a_log_that_is_not_there_is_empty(tmp_path):
    assert SearchLog(str(tmp_path / "none.jsonl")).read() == []
