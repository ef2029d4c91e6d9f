"""Apply ``--set a.b=value``: replace single keys of a study from the command line."""

import re
from collections.abc import Iterable

from pydantic import JsonValue

from orchestrator.study.document import MAX_DEPTH, Document, read_text
from orchestrator.study.inherit import StudySource, lay_over
from orchestrator.study.location import KeyPath, Location, Locations, Problem

KEY = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
OPEN_MAPPINGS = (("search", "space"), ("tracking", "tags"))  # below these a key is a name and may hold dots


def apply_sets(source: StudySource, sets: Iterable[str]) -> StudySource:
    """Return the study with every ``key=value`` applied; a later one wins over an earlier one with the same key."""
    # Kinds first: a new kind replaces its mapping, in whatever order the command line gives the mapping's other keys.
    for text in sorted(sets, key=lambda text: not text.partition("=")[0].endswith("kind")):
        source = _apply(source, text)
    return source


def _apply(source: StudySource, text: str) -> StudySource:
    key, equals, value = text.partition("=")
    location = Location(f"--set {key}", None)
    path = _path(key)
    if not equals or path is None:
        problem = Problem((), f"expected key=value, as in method.alpha1=2, got {text!r}", location=location)
        return _with(source, problem)
    document = read_text(value, lambda _: location)
    blocked = _blocked(source.data, path)
    if blocked is not None:
        problem = Problem((), f"{'.'.join(blocked)} is not a mapping", location=location)
        return _with(source, problem)
    source = _with(source, *(_below(path, problem) for problem in document.problems))
    return _assign(source, path, document, location)


def _path(key: str) -> tuple[str, ...] | None:
    """Split a key at its dots, except below the mappings whose keys are names."""
    parts = tuple(key.split("."))
    if not KEY.fullmatch(key) or len(parts) > MAX_DEPTH:
        return None
    if parts[:2] in OPEN_MAPPINGS and len(parts) > 2:
        return (*parts[:2], ".".join(parts[2:]))
    return parts


def _blocked(data: JsonValue, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the first part of ``path`` whose value cannot hold the rest."""
    for index, key in enumerate(path):
        if not isinstance(data, dict | None):
            return path[:index]
        data = data.get(key) if data else None
    return None


def _assign(source: StudySource, path: tuple[str, ...], document: Document, location: Location) -> StudySource:
    """Return the study with the value set, replacing any earlier one."""
    nested: JsonValue = document.data
    for key in reversed(path):
        nested = {key: nested}
    if not isinstance(nested, dict):
        raise TypeError("a path has at least one key")
    steps: dict[KeyPath, Location] = {path: location}
    steps |= {(*path, *below): location for below in document.lines}
    emptied = StudySource(_without(source.data, path), source.locations, source.problems, source.complete)
    return lay_over(emptied, nested, Locations(steps))


def _without(data: dict[str, JsonValue], path: tuple[str, ...]) -> dict[str, JsonValue]:
    """Return ``data`` without the mapping at ``path``, which would otherwise be merged with, not replaced."""
    head, *rest = path
    value = data.get(head)
    if not isinstance(value, dict):
        return data
    if not rest:
        return {key: item for key, item in data.items() if key != head}
    return data | {head: _without(value, tuple(rest))}


def _below(path: KeyPath, problem: Problem) -> Problem:
    return Problem((*path, *problem.path), problem.message, problem.level, problem.location, problem.hides)


def _with(source: StudySource, *problems: Problem) -> StudySource:
    return StudySource(source.data, source.locations, [*source.problems, *problems], source.complete)
