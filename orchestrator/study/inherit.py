"""Read a study file and the files it builds on (``base: other.yaml``), and lay them over each other."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from orchestrator.study.document import Document, read_file
from orchestrator.study.location import KeyPath, Location, Locations, Problem
from orchestrator.study.merge import merge

BASE = "base"
MAX_FILES = 9  # a study and a chain of 8 bases


@dataclass(frozen=True, slots=True)
class Source:
    """Hold a study's raw data after inheritance; unless ``complete``, it is a fragment not worth validating."""

    data: dict[str, JsonValue]
    locations: Locations
    problems: list[Problem]
    complete: bool


def read_source(path: Path) -> Source:
    """Read ``path`` and its bases; where two give the same key, the file nearer to ``path`` wins."""
    chain = _Chain()
    step: _Step | None = _Step(path, str(path), None)
    while step is not None:
        step = chain.add(step)
    return chain.merged()


def lay_over(source: Source, data: dict[str, JsonValue], locations: Locations) -> Source:
    """Return ``source`` with other data on top."""
    merged = merge(source.data, data)
    if not isinstance(merged, dict):
        raise TypeError("a study is a mapping")
    kept = set(paths_in(merged))
    return Source(merged, locations.over(source.locations, kept), source.problems, source.complete)


def paths_in(data: JsonValue, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of every value in ``data``."""
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from paths_in(value, (*path, key))


class _Step(NamedTuple):
    """Name a file to read and the line that asked for it; no line asked for the study file itself."""

    path: Path
    name: str
    asked_at: Location | None


@dataclass(slots=True)
class _Chain:
    """Collect documents from the study file down to its last base."""

    documents: list[Document] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True

    def add(self, step: _Step) -> _Step | None:
        """Read one file; return the one that it builds on, if any."""
        refusal = self._refusal(step) if step.asked_at else None
        if refusal is not None:
            self._stop(Problem((BASE,), refusal, location=step.asked_at))
            return None
        self.files.append(step.path.resolve())
        self.names.append(step.name)
        document = read_file(step.path, step.name)
        self.documents.append(document)
        self.problems += document.problems
        self.complete &= document.complete
        return self._next(step, document)

    def _refusal(self, step: _Step) -> str | None:
        """Say why a base cannot be used, if so."""
        if not is_file(step.path):
            return f"no such file: {step.name}"
        if step.path.resolve() in self.files:
            return f"base files go round in a circle: {' -> '.join([*self.names, step.name])}"
        return f"more than {MAX_FILES - 1} base files in a chain" if len(self.files) == MAX_FILES else None

    def _next(self, step: _Step, document: Document) -> _Step | None:
        data = document.data
        if not isinstance(data, dict) or BASE not in data:
            return None
        base, location = data.pop(BASE), document.lines.pop((BASE,))
        if not isinstance(base, str) or not base:
            self._stop(Problem((BASE,), "must name a file, as in base: other.yaml", location=location))
            return None
        # Messages name a base relative to where the study's own name is relative to.
        name = os.path.normpath(Path(step.name).parent / base)
        return _Step(step.path.parent / base, name, location)

    def _stop(self, problem: Problem) -> None:
        self.problems.append(problem)
        self.complete = False

    def merged(self) -> Source:
        source = Source({}, Locations({(): Location(self.names[0], 1)}), self.problems, self.complete)
        for document in reversed(self.documents):
            data = document.data if isinstance(document.data, dict) else {}
            source = lay_over(source, data, Locations(document.lines))
        return source


def is_file(path: Path) -> bool:
    """Tell whether a file is there, for any text that a study may give as a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for the file system, or with a NUL in it
        return False
