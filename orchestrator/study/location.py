"""Remember in which file and line each key of a study was given."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestrator.core.findings import Finding, Level

KeyPath = tuple[str | int, ...]


class Location(NamedTuple):
    """Name a line of a file; with ``line=None`` a whole file, a ``--set`` or a study that is no file.

    ``start`` is where its relative paths start if not at the default.
    """

    source: str
    line: int | None
    start: str | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"

    @property
    def folder(self) -> Path:
        """Return where relative paths start: the file's folder, for ``--set`` the working directory."""
        if self.start is not None:
            return Path(self.start)
        return Path.cwd() if self.line is None else Path(self.source).absolute().parent


@dataclass(frozen=True, slots=True)
class Problem:
    """Hold a finding before it is rendered; ``location=None`` stands for the nearest key of ``path``.

    ``hides`` marks a value that could not be read at all: other checks' messages about it would be noise. ``rests_on``
    are the other keys whose values led to the finding: where one of them is wrong, it says nothing. ``beside`` is another
    key that the finding is about as much: its place is told at the end.
    """

    path: KeyPath
    message: str
    level: Level = "error"
    location: Location | None = None
    hides: bool = False
    rests_on: tuple[KeyPath, ...] = ()
    beside: KeyPath | None = None


class Locations:
    """Map key paths to the lines that gave them, over all files of a study and the command line."""

    def __init__(self, lines: dict[KeyPath, Location]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[KeyPath]:
        return iter(self._lines)

    def nearest(self, path: KeyPath) -> Location:
        """Return the location of ``path`` or of its closest parent that was written down."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def over(self, base: "Locations", kept: set[KeyPath]) -> "Locations":
        """Return these locations on top of those of ``base``, of which only the paths in ``kept`` still exist."""
        return Locations({path: at for path, at in base._lines.items() if path in kept} | self._lines)

    def where(self, path: KeyPath) -> str:
        """Return ``file:line: key.path`` for a key, at its own line or that of its nearest parent."""
        return _where(self.nearest(path), path)

    def finding(self, problem: Problem) -> Finding:
        """Render a problem for people."""
        location = problem.location or self.nearest(problem.path)
        other = "" if problem.beside is None else f" (the other: {self.where(problem.beside)})"
        return Finding(problem.level, _where(location, problem.path), problem.message + other)


def dotted(path: KeyPath) -> str:
    """Write a key path as people do: ``search.seeds[0]``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def _where(location: Location, path: KeyPath) -> str:
    key = dotted(path)
    if not key or location.source == f"--set {key}":
        return str(location)
    return f"{location}: {key}"
