"""Files that a study names are regular and bounded, or refused with a phrase; nothing waits."""

import os
from pathlib import Path

import pytest

from trainers.schema import user_file
from trainers.schema.tree import files_below
from trainers.schema.user_file import UnfitFile, open_file, read_bytes, read_with_status


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "empty").touch()
    assert read_bytes(tmp_path / "link", 3) == b"abc"
    assert read_bytes(tmp_path / "empty", 3) == b""
    content, status = read_with_status(str(tmp_path / "a"), 10)
    assert (content, status.st_size) == (b"abc", 3)
    with open_file(tmp_path / "a") as file:
        assert file.read() == b"abc"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/dev/zero", "is a device, not a file"),
        ("/dev/null", "is a device, not a file"),
        ("/proc/kmsg", "is a file of the kernel"),
        ("/proc/self/environ", "is a file of the kernel"),
        ("/sys/kernel/notes", "is a file of the kernel"),
        ("/", "is a folder, not a file"),
    ],
)
def test_what_is_no_file_is_refused(path: str, told: str) -> None:
    if not Path(path).exists():
        pytest.skip(f"no {path} here")
    for read in (open_file, lambda path: read_bytes(path, 10)):
        with pytest.raises(UnfitFile, match=told):
            read(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnfitFile, match="is a pipe, not a file"):
        open_file(tmp_path / "pipe")


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(UnfitFile, match="has 1099511627776 bytes, more than 1000"):
        read_bytes(tmp_path / "large", 1000)


def test_a_file_that_becomes_a_pipe_when_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    opened = os.open

    def exchange(path: object, *rest: object) -> int:
        (tmp_path / "file").unlink(missing_ok=True)
        os.mkfifo(tmp_path / "file")
        return opened(path, *rest)

    monkeypatch.setattr(os, "open", exchange)
    with pytest.raises(UnfitFile, match="is a pipe"):
        open_file(tmp_path / "file")


def test_a_file_that_grows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    read = os.read

    def append(descriptor: int, size: int) -> bytes:
        with (tmp_path / "file").open("ab") as file:
            file.write(b"more")
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", append)
    with pytest.raises(UnfitFile, match="gives more bytes than its size"):
        read_bytes(tmp_path / "file", 100)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").touch()
    for name in "bcdefgh":
        (tmp_path / name).symlink_to(".")
        (tmp_path / "a" / name).symlink_to("..")
    found = [f"{at}/{name}" for at, names in files_below(tmp_path) for name in names]
    assert found == [f"{tmp_path}/a/x.png"]


def test_folders_of_the_kernel_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    assert list(files_below(tmp_path)) == [(str(tmp_path), [])]


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / str(number)).touch()
    with pytest.raises(OSError, match="holds too many files"):
        list(files_below(tmp_path, most=4))


@pytest.mark.parametrize("size", [0, 3, 4, 5, 8, 9, 11])
def test_a_file_that_comes_in_parts_is_read_whole(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytes(range(size))
    (tmp_path / "file").write_bytes(content)
    monkeypatch.setattr(user_file, "AT_ONCE", 4)
    assert read_bytes(tmp_path / "file", 20) == content


def test_a_file_that_shrinks_gives_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"abcdef")
    read = os.read

    def cut(descriptor: int, size: int) -> bytes:
        os.truncate(tmp_path / "file", 4)
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", cut)
    assert read_bytes(tmp_path / "file", 20) == b"abcd"


@pytest.mark.parametrize(
    "kind",
    ["binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "functionfs", "fusectl", "mqueue",
     "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs"],
)  # fmt: skip
def test_mounts_of_every_file_system_of_the_kernel_are_known(kind: str) -> None:
    line = f"31 23 0:27 / /somewhere rw,nosuid shared:9 - {kind} {kind} rw"
    assert user_file._kernel_device(line) == os.makedev(0, 27)


@pytest.mark.parametrize("kind", ["ext4", "tmpfs", "overlay", "nfs4", "fuse", "proc2", "xfs"])
def test_mounts_of_file_systems_that_store_files_are_left_alone(kind: str) -> None:
    assert user_file._kernel_device(f"31 23 8:1 / / rw - {kind} proc rw") is None
