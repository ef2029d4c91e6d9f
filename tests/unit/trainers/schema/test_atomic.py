"""A file is on disk before its name is, and its name before the writer goes on; a deletion is a rename in a fenced folder."""

import errno
import os
from pathlib import Path

import pytest

from tests.unit.noted_disk import NotedDisk
from trainers.schema.atomic import flush_folder, partial_of, remove, write_atomically, write_bytes, write_text
from trainers.schema.fence import FencedOff, fence_of, is_fenced_off, require_claim, set_fence, side_folder


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NotedDisk:
    return NotedDisk(tmp_path, monkeypatch)


@pytest.fixture
def fenced(tmp_path: Path) -> Path:
    """A folder that this process writes to through the fence ``lease``."""
    folder, fence = tmp_path / "store" / "trial", tmp_path / "lease"
    folder.mkdir(parents=True)
    fence.mkdir()
    set_fence(folder, fence)
    yield folder
    set_fence(folder, None)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_text(path, "whole"),
        lambda path: write_bytes(path, b"whole"),
        lambda path: write_atomically(path, lambda partial: partial.write_text("whole")),
    ],
)
def test_bytes_are_flushed_before_the_name_and_the_name_after_it(write, disk, tmp_path):
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "file")
    assert disk.take() == ["flush a/.file.partial", "rename a/.file.partial a/file", "flush a/"]
    assert (tmp_path / "a" / "file").read_text() == "whole"


def test_a_fenced_folder_is_written_through_its_fence(fenced, disk, tmp_path):
    write_text(fenced / "file", "whole")
    assert disk.take() == [
        "flush lease/.file.partial",
        "rename lease/.file.partial store/trial/file",
        "flush store/trial/",
    ]
    (fenced / "below").mkdir()
    write_text(fenced / "below" / "file", "whole")
    assert disk.take()[1] == "rename lease/below/.file.partial store/trial/below/file"
    assert partial_of(tmp_path / "store" / "file") == tmp_path / "store" / ".file.partial"


def test_who_has_lost_the_fence_neither_writes_nor_deletes(fenced, tmp_path):
    write_text(fenced / "file", "first")
    (tmp_path / "lease").rename(tmp_path / "taken")
    for act in (
        lambda: write_text(fenced / "file", "second"),
        lambda: remove(fenced / "file"),
        lambda: remove(fenced / "no"),
    ):
        with pytest.raises(FencedOff, match="another job has taken over"):
            act()
    assert (fenced / "file").read_text() == "first"
    assert is_fenced_off(fenced)
    with pytest.raises(FencedOff):
        require_claim(fenced)
    with pytest.raises(FencedOff):
        fence_of(fenced / "below")
    assert is_fenced_off(fenced / "below")


def test_a_file_in_a_fenced_folder_is_deleted_and_one_that_is_not_there_is_fine(fenced, tmp_path):
    write_text(fenced / "file", "whole")
    remove(fenced / "file")
    remove(fenced / "file")
    assert list(fenced.iterdir()) == []
    assert list((tmp_path / "lease").iterdir()) == []


def test_without_a_fence_nothing_is_fenced_off(tmp_path, fenced):
    assert fence_of(tmp_path) is None
    assert not is_fenced_off(tmp_path)
    assert not is_fenced_off(fenced)
    require_claim(fenced)
    assert side_folder(fenced) == tmp_path / "lease"
    assert side_folder(tmp_path) == tmp_path
    set_fence(fenced, None)
    assert fence_of(fenced) is None
    remove(tmp_path / "absent")


def test_an_error_without_a_number_stays_as_it_is(tmp_path):
    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError("a library's own")

    with pytest.raises(OSError, match=r"^a library's own$"):
        write_atomically(tmp_path / "file", fail)
    assert list(tmp_path.iterdir()) == []


def test_an_error_with_a_number_names_the_file_and_keeps_the_number(tmp_path):
    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    with pytest.raises(OSError, match=rf"Input/output error: '{tmp_path}/file'") as raised:
        write_atomically(tmp_path / "file", fail)
    assert raised.value.errno == errno.EIO


def test_a_folder_that_cannot_be_flushed_is_left_as_it_is_and_closed(tmp_path, monkeypatch):
    closed, close = [], os.close

    def fail(descriptor: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("os.fsync", fail)
    monkeypatch.setattr("os.close", lambda descriptor: closed.append(close(descriptor)))
    flush_folder(tmp_path)
    assert len(closed) == 1
