"""Read a study file and the files it builds on (``base: other.yaml`` or a list), and lay them over each other."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pydantic import JsonValue

from orchestrator.study.document import Document, read_file
from orchestrator.study.location import KeyPath, Location, Locations, Problem
from orchestrator.study.mapping import StudyMapping, read_mapping
from orchestrator.study.merge import merge
from orchestrator.study.shipped import SHIPPED, lacks_study, shipped_file, study_file
from trainers.schema.user_file import no_regular_file

BASE = "base"
MAX_DEPTH = 8  # bases of bases
SUFFIXES = (".yaml", ".yml")
MAX_FILES = 33  # a study and all its bases


@dataclass(frozen=True, slots=True)
class StudySource:
    """Hold a study's raw data after inheritance; unless ``complete``, it is a fragment not worth validating."""

    data: dict[str, JsonValue]
    locations: Locations
    problems: list[Problem]
    complete: bool


def read_source(origin: Path | StudyMapping) -> StudySource:
    """Read a study and its bases; where two give the same key, the one nearer to the study wins, of a list the later."""
    reading = _DocumentReader()
    waiting = reading.begin(origin)
    while waiting:
        waiting += reading.add(waiting.pop())
    return reading.merged()


def lay_over(source: StudySource, data: dict[str, JsonValue], locations: Locations) -> StudySource:
    """Return ``source`` with other data on top."""
    merged = merge(source.data, data)
    if not isinstance(merged, dict):
        raise TypeError("a study is a mapping")
    kept = set(paths_in(merged))
    return StudySource(merged, locations.over(source.locations, kept), source.problems, source.complete)


def paths_in(data: JsonValue, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of every value in ``data``."""
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from paths_in(value, (*path, key))


class _Step(NamedTuple):
    """Name a file to read, the line that asked for it (none asked for the study itself) and the files above it."""

    path: Path
    name: str
    asked_at: Location | None
    above: "tuple[_Step, ...]"


@dataclass(slots=True)
class _DocumentReader:
    """Collect documents, the study file's first, then its bases with their own bases, the strongest first."""

    documents: list[Document] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True

    def begin(self, origin: Path | StudyMapping) -> list[_Step]:
        """Read the study itself; return the files that it builds on, the strongest last."""
        if isinstance(origin, StudyMapping):
            place = origin.folder / origin.location.source
            return self._take(_Step(place, str(place), None, ()), read_mapping(origin))
        name, path = str(origin), study_file(origin)
        if name.startswith(SHIPPED) and not is_file(path):
            at = Location(name, None)
            lacking = Problem((), lacks_study(name), location=at)
            return self._take(_Step(path, name, None, ()), Document(None, {(): at}, [lacking], complete=False))
        return self.add(_Step(path, name, None, ()))

    def add(self, step: _Step) -> list[_Step]:
        """Read one file; return those that it builds on, the strongest last."""
        refusal = self._refusal(step) if step.asked_at else None
        if refusal is not None:
            self._stop(Problem((BASE,), refusal, location=step.asked_at))
            return []
        return self._take(step, read_file(step.path, step.name))

    def _take(self, step: _Step, document: Document) -> list[_Step]:
        self.names.append(step.name)
        self.documents.append(document)
        self.problems += document.problems
        self.complete &= document.complete
        return self._bases(step, document)

    def _refusal(self, step: _Step) -> str | None:
        """Return why a base cannot be used, if so.

        Messages quote a study's text. A file that is no study's, such as one with passwords, must not be read.
        """
        if not is_file(step.path):
            return absent(step.path, step.name)
        if step.path.suffix not in SUFFIXES:
            return f"a base ends in {' or '.join(SUFFIXES)}: {step.name}"
        above = [other.path.resolve() for other in step.above]
        if step.path.resolve() in above:
            return f"base files go round in a circle: {' -> '.join([*(other.name for other in step.above), step.name])}"
        if len(step.above) > MAX_DEPTH:
            return f"more than {MAX_DEPTH} base files in a chain"
        return f"more than {MAX_FILES - 1} base files" if len(self.documents) == MAX_FILES else None

    def _bases(self, step: _Step, document: Document) -> list[_Step]:
        data = document.data
        if not isinstance(data, dict) or BASE not in data:
            return []
        base, location = data.pop(BASE), document.lines.pop((BASE,), document.lines[()])
        names = [base] if isinstance(base, str) else base
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            self._stop(
                Problem((BASE,), "must name a file or a list of files, as in base: other.yaml", location=location)
            )
            return []
        lines = [document.lines.pop((BASE, index), location) for index in range(len(names))]
        return [self._step(str(name), line, step) for name, line in zip(names, lines, strict=True)]

    @staticmethod
    def _step(base: str, location: Location, step: _Step) -> _Step:
        above = (*step.above, step)
        if base.startswith(SHIPPED):
            return _Step(shipped_file(base), base, location, above)
        # Messages name a base relative to where the study's own name is relative to.
        name = os.path.normpath(Path(step.name).parent / base)
        return _Step(step.path.parent / base, name, location, above)

    def _stop(self, problem: Problem) -> None:
        self.problems.append(problem)
        self.complete = False

    def merged(self) -> StudySource:
        source = StudySource({}, Locations({(): Location(self.names[0], 1)}), self.problems, self.complete)
        for document in reversed(self.documents):
            data = document.data if isinstance(document.data, dict) else {}
            source = lay_over(source, data, Locations(document.lines))
        return source


def absent(path: str | Path, name: str | None = None) -> str:
    """Return why there is no file at ``path``, which messages call ``name``."""
    instead = no_regular_file(path)
    return f"{instead.removeprefix('is ') if instead else 'no such file'}: {name or path}"


def is_file(path: Path) -> bool:
    """Return whether a file is there, for any text that a study may give as a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for the file system, or with a NUL in it
        return False
