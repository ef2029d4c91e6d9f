"""Stand before every operation on a file of a schedule: another process may come first, this one may die, the disk may fail.

``os`` and ``open`` are wrapped once for the whole process; outside of a schedule, and for files elsewhere, they are as ever.
"""

import builtins
import errno
import io
import os
from collections.abc import Callable
from typing import Any

from tests.simulation.kernel import Kernel, active, is_inside

LOOKS = ("stat", "listdir", "scandir")
CHANGES = ("rename", "replace", "unlink", "remove", "mkdir", "rmdir", "truncate", "fsync", "utime")
Watch = Callable[[str, str], None]
_watches: list[Watch] = []
_open = io.open


def install() -> None:
    """Wrap the functions, once."""
    if os.rename.__name__ == "seamed":
        return
    for name in (*LOOKS, *CHANGES):
        setattr(os, name, _seamed(name, getattr(os, name), writes=name in CHANGES))
    os.open = _seamed_open(os.open)  # type: ignore[assignment]
    io.open = builtins.open = _opened  # type: ignore[assignment]


def watch(told: Watch) -> None:
    """Have ``told`` called with each change and its path, right after it, for the length of a schedule."""
    _watches.append(told)


def forget_watches() -> None:
    """Call nobody any more."""
    _watches.clear()


def _is_ours(kernel: Kernel, path: Any, named: dict[str, Any]) -> bool:
    """Return whether a path lies in the schedule's folder; a descriptor is taken for one that does."""
    if isinstance(path, int) or "dir_fd" in named:
        return True
    return os.fspath(path).startswith(kernel.root) if isinstance(path, str | os.PathLike) else False


def _seamed(name: str, function: Callable[..., Any], *, writes: bool) -> Callable[..., Any]:
    def seamed(path: Any = ".", *given: Any, **named: Any) -> Any:
        if not is_inside() or not _is_ours(kernel := active(), path, named):
            return function(path, *given, **named)
        kernel.seam(name, writes=writes)
        if name == "fsync":
            return None  # the disk is memory, and only processes die
        found = function(path, *given, **named)
        if writes and _watches:
            _tell(kernel, name, given[0] if name in ("rename", "replace") else path)
            if name in ("rename", "replace"):
                _tell(kernel, "leave", path)
        return found

    return seamed


def _seamed_open(function: Callable[..., int]) -> Callable[..., int]:
    def seamed(path: Any, flags: int, *given: Any, **named: Any) -> int:
        if is_inside() and _is_ours(active(), path, named):
            active().seam("os.open", writes=bool(flags & (os.O_WRONLY | os.O_RDWR)))
        return function(path, flags, *given, **named)

    return seamed


def _opened(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
    if isinstance(file, int) or not is_inside() or not _is_ours(active(), file, {}):
        return _open(file, mode, *given, **named)
    writes = bool(set(mode) & set("wax+"))
    active().seam("open", writes=writes)
    opened = _open(file, mode, *given, **named)
    return Written(opened) if writes else opened


class Written:
    """Stand for a file that is written: what is written may end in the midst, with the process or with the disk."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> "Written":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __iter__(self) -> Any:
        return iter(self._file)

    def write(self, content: Any) -> int:
        kernel = active()
        half = len(content) // 2
        try:
            kernel.seam("write", writes=True)
        except BaseException:
            if kernel.chance.random() < 0.5:
                self._file.write(content[:half])
                self._file.flush()
            raise
        return int(self._file.write(content))


def _tell(kernel: Kernel, change: str, path: Any) -> None:
    task, kernel.current = kernel.current, None  # looking is no step of the process
    try:
        for told in _watches:
            told(change, os.fspath(path))
    finally:
        kernel.current = task


class Trouble:
    """Hold a time in which the disk is slow, full or gone, for all processes."""

    def __init__(self, kernel: Kernel, kind: str, begin: float, seconds: float) -> None:
        self._kernel, self.kind, self._begin, self.end = kernel, kind, begin, begin + seconds
        self.hit = False

    def __call__(self, operation: str, writes: bool) -> None:
        if not self._begin <= self._kernel.now < self.end:
            return
        if self.kind == "slow":
            if self._kernel.chance.random() < 0.1:
                self.hit = True
                self._kernel.pause(self._kernel.chance.expovariate(1 / 2.0))
        elif self.kind == "full" and operation in ("write", "mkdir", "open") and writes:
            self.hit = True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        elif self.kind == "away" and writes and operation not in ("rmdir",) and self._kernel.chance.random() < 0.3:
            self.hit = True
            raise OSError(errno.EIO, os.strerror(errno.EIO))
