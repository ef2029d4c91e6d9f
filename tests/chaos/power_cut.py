"""Keep what a disk would hold if the machine stopped before, or right after, any operation on a file.

POSIX promises little: the bytes of a file after ``fsync`` of the file, its name after ``fsync`` of its folder. ``Disk`` follows
both for one folder while a block writes to it, and copies at each boundary what would be left of it.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import patch

WRITING = os.O_WRONLY | os.O_RDWR
CHANGES = frozenset({"os.rename", "os.remove", "os.truncate", "os.link", "os.symlink"})


class Loss(StrEnum):
    """Name what an end takes with it."""

    NOTHING = "killed"  # the process alone: what it wrote is there
    BYTES = "power cut, names kept"  # bytes that were not flushed, from files that have their new names
    NAMES = "power cut"  # new names, too, of folders that were not flushed
    HALF = "power cut, half of the bytes"  # the second half of what was not flushed


@dataclass
class Node:
    """Hold a file, whatever its names are, with the bytes that are surely on disk."""

    flushed: bytes = b""


@dataclass(frozen=True)
class Left:
    """Hold the copy of a folder at one boundary; ``promised`` counts the promises that had been given by then."""

    before: str
    loss: Loss
    promised: int
    folder: Path


@dataclass
class Disk:
    """Follow the files below ``folder``; a folder itself counts as durable once it is there."""

    folder: Path
    copies: Path
    left: list[Left] = field(default_factory=list)
    promised: int = 0
    boundaries: int = 0
    _nodes: dict[int, Node] = field(default_factory=dict)
    _names: dict[str, Node] = field(default_factory=dict)
    _follows: bool = False
    _kept: set[tuple[int, str]] = field(default_factory=set)

    def promise(self) -> None:
        """Note that the code under test has returned from something that is to survive."""
        self.promised += 1

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Copy the folder at each boundary within the block, and at its end."""
        sys.addaudithook(self._audit)  # it can't be taken back, and does nothing after the block
        self.promised = 0
        self._nodes = {number: Node(path.read_bytes()) for number, path in self._files()}
        self._names = dict(self._here())
        self._follows = True
        try:
            with patch.object(os, "fsync", self._fsync(os.fsync)):
                yield
            self._keep("the end")
        finally:
            self._follows = False

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._follows:
            return
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if (writes or event in CHANGES) and self._is_below(arguments[0]):
            self._keep(f"{event} {arguments[0]}")

    def _is_below(self, name: object) -> bool:
        return isinstance(name, str | os.PathLike) and Path(name).is_relative_to(self.folder)

    def _fsync(self, flush: Callable[[int], None]) -> Callable[[int], None]:
        def fsync(descriptor: int) -> None:
            place = Path(f"/proc/self/fd/{descriptor}").readlink()
            if not self._is_below(place):
                flush(descriptor)
                return
            self._keep(f"fsync of {place}")
            if place.is_dir():
                self._flush_names(place.relative_to(self.folder))
            else:
                self._here()[str(place.relative_to(self.folder))].flushed = place.read_bytes()

        return fsync

    def _files(self) -> Iterator[tuple[int, Path]]:
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path.stat().st_ino, path

    def _here(self) -> dict[str, Node]:
        """Return the files by name; a number that is gone may come back as another file."""
        files = list(self._files())
        self._nodes = {number: self._nodes.get(number, Node()) for number, _ in files}
        return {str(path.relative_to(self.folder)): self._nodes[number] for number, path in files}

    def _flush_names(self, folder: Path) -> None:
        elsewhere = {name: node for name, node in self._names.items() if Path(name).parent != folder}
        here = {name: node for name, node in self._here().items() if Path(name).parent == folder}
        self._names = elsewhere | here

    def _keep(self, before: str) -> None:
        self._follows = False  # own copies are no boundaries
        self.boundaries += 1
        here = self._here()
        for loss in Loss:
            target = self.copies / f"{len(self.left)}"
            folders = [] if loss is Loss.NAMES else [path for path in self.folder.rglob("*") if path.is_dir()]
            for path in (self.folder, *folders):
                (target / path.relative_to(self.folder)).mkdir(parents=True, exist_ok=True)
            for name, node in (self._names if loss is Loss.NAMES else here).items():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(self._content(name, node, loss))
            self._add(before, loss, target)
        self._follows = True

    def _content(self, name: str, node: Node, loss: Loss) -> bytes:
        if loss in (Loss.BYTES, Loss.NAMES):
            return node.flushed
        written = (self.folder / name).read_bytes()
        if loss is Loss.NOTHING or not written.startswith(node.flushed):
            return written
        return written[: (len(node.flushed) + len(written)) // 2]

    def _add(self, before: str, loss: Loss, target: Path) -> None:
        """Keep a copy, unless the same content was left before, with as many promises."""
        key = (self.promised, digest(target))
        if key in self._kept:
            shutil.rmtree(target)
        else:
            self._kept.add(key)
            self.left.append(Left(before.replace(str(self.folder), "."), loss, self.promised, target))


def digest(folder: Path) -> str:
    """Return a digest of all files below a folder, with their names."""
    found = {name: hashlib.sha256(content).hexdigest() for name, content in contents(folder).items()}
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
