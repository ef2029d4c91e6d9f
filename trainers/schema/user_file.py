"""Open the files that a study, a data set or a config names: regular files only, of bounded size.

The author of the study chose the name. ``/dev/zero`` never ends, a FIFO never begins, and files of the kernel
(``/proc/kmsg``) are regular by their mode, have the size 0, and block. The file that is checked is the one that is
read: everything is asked of the open descriptor. Every error is an ``OSError`` whose ``strerror`` is a phrase.
"""

import errno
import os
import stat
from functools import cache
from io import BufferedReader
from pathlib import Path

LARGEST_TEXT = 1 << 28  # bytes of a list of images
LARGEST_LABELS = 1 << 24  # of one image's boxes
LARGEST_IMAGE = 1 << 30  # of an image file, whose pixels are bounded as well
LARGEST_JSON = 1 << 33  # of annotations; those of the largest public data sets have 6 GB
LARGEST = 1 << 34  # of a checkpoint, or of any file whose digest is taken
AT_ONCE = 1 << 30  # bytes asked for by one call
FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
MOUNTS = "/proc/self/mountinfo"
KERNEL = frozenset({
    "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "functionfs", "fusectl", "mqueue",
    "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs",
})  # fmt: skip
KINDS = {
    stat.S_IFDIR: "is a folder", stat.S_IFCHR: "is a device", stat.S_IFBLK: "is a device", stat.S_IFIFO: "is a pipe",
    stat.S_IFSOCK: "is a socket",
}  # fmt: skip


class UnfitFile(OSError):
    """Report something that is no regular file, or is too large; ``strerror`` is a phrase that follows the name."""


def open_file(path: str | os.PathLike[str], largest: int = LARGEST) -> BufferedReader:
    """Open a regular file of at most ``largest`` bytes; nothing waits for a pipe or a device."""
    descriptor = open_descriptor(path, largest)[0]
    return os.fdopen(descriptor, "rb")


def read_bytes(path: str | os.PathLike[str], largest: int) -> bytes:
    """Return the content of a regular file of at most ``largest`` bytes."""
    return read_with_status(path, largest)[0]


def read_text(path: Path, largest: int) -> str:
    """Return the text of a regular file, in UTF-8 with or without a byte order mark; may raise ``UnicodeDecodeError``."""
    return read_bytes(path, largest).decode("utf-8-sig")


def read_with_status(path: str | os.PathLike[str], largest: int) -> tuple[bytes, os.stat_result]:
    """Return the content of a file and the state that it had before it was read."""
    descriptor, status = open_descriptor(path, largest)
    try:
        return _read(descriptor, status.st_size, path), status
    finally:
        os.close(descriptor)


def no_regular_file(path: str | os.PathLike[str]) -> str | None:
    """Return the phrase for the thing that a path names instead of a file, ``None`` where it names a file or nothing."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return _no_file(status)


def is_kernel_device(device: int) -> bool:
    """Return whether files with this ``st_dev`` belong to the kernel: they are not stored anywhere."""
    return device in _kernel_devices()


def open_descriptor(path: str | os.PathLike[str], largest: int = LARGEST) -> tuple[int, os.stat_result]:
    """Open a file as ``open_file`` does; return its descriptor and state."""
    # First by its name: to open a device may be an act (a watchdog's starts it).
    _require(os.stat(path), largest, path)  # noqa: PTH116  of 10,000 images
    descriptor = os.open(path, FLAGS)
    try:
        status = os.fstat(descriptor)
        _require(status, largest, path)  # again, of the file that is read: the name may mean another by now
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def _require(status: os.stat_result, largest: int, path: str | os.PathLike[str]) -> None:
    """Raise ``UnfitFile`` unless the file is regular, stored, and small enough; asked twice for each of 10,000 images."""
    if stat.S_ISREG(status.st_mode) and status.st_size <= largest and status.st_dev not in _kernel_devices():
        return
    raise UnfitFile(errno.EINVAL, _problem(status, largest), os.fspath(path))


def _problem(status: os.stat_result, largest: int) -> str:
    return _no_file(status) or f"has {status.st_size} bytes, more than {largest}"


def _no_file(status: os.stat_result) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return f"{KINDS.get(stat.S_IFMT(status.st_mode), 'is something else')}, not a file"
    return "is a file of the kernel, not one of a disk" if status.st_dev in _kernel_devices() else None


def _read(descriptor: int, size: int, path: str | os.PathLike[str]) -> bytes:
    """Return ``size`` bytes; a file that gives more has no true size, or is being written."""
    content = os.read(descriptor, min(size + 1, AT_ONCE))
    if len(content) == size:
        return content
    parts, total = [content], len(content)
    while total <= size and (part := os.read(descriptor, min(size + 1 - total, AT_ONCE))):
        parts.append(part)
        total += len(part)
    if total > size:
        raise UnfitFile(errno.EINVAL, "gives more bytes than its size: it is being written", os.fspath(path))
    return b"".join(parts)


@cache
def _kernel_devices() -> frozenset[int]:
    """Return the devices of the file systems by which the kernel shows itself."""
    found = {os.stat(place).st_dev for place in ("/proc", "/sys") if os.path.isdir(place)}  # noqa: PTH112, PTH116  no Path is needed
    try:
        descriptor = os.open(MOUNTS, FLAGS)
    except OSError:
        return frozenset(found)
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as mounts:
        return frozenset(found | {device for line in mounts if (device := _kernel_device(line)) is not None})


def _kernel_device(line: str) -> int | None:
    """Return the device of a line of mountinfo, ``None`` for a file system that stores files."""
    before, _, after = line.partition(" - ")
    if after.partition(" ")[0] not in KERNEL:
        return None
    major, _, minor = before.split(" ")[2].partition(":")
    return os.makedev(int(major), int(minor))
