"""Take a study from a mapping of Python in place of a file, with the same limits and the same messages."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from orchestrator.study.document import MAX_DEPTH, MAX_VALUES, Document, Refused, is_text
from orchestrator.study.location import KeyPath, Location, Problem
from orchestrator.study.scalars import MAX_DIGITS

NAME = "study"  # stands where messages about files name the file and the line


@dataclass(frozen=True, slots=True)
class StudyMapping:
    """Hold a study as plain data; relative names in it start at ``folder``."""

    data: Mapping[str, Any]
    folder: Path

    def __str__(self) -> str:
        return NAME

    @property
    def location(self) -> Location:
        """Return the place that messages name for all of its keys."""
        return Location(NAME, None, str(self.folder))


def read_mapping(study: StudyMapping) -> Document:
    """Return a study's data as YAML would give them: paths become texts, tuples lists, numbers of NumPy numbers."""
    builder = _PlainCopy()
    try:
        data = builder.plain(study.data, ())
    except Refused as refused:
        return Document(None, {(): study.location}, [*builder.problems, refused.problem], complete=False)
    return Document(data, {(): study.location}, builder.problems, complete=not builder.problems)


@dataclass(slots=True)
class _PlainCopy:
    """Copy data to plain data, and note the values that are none."""

    problems: list[Problem] = field(default_factory=list)
    values: int = 0

    def plain(self, value: Any, path: KeyPath) -> JsonValue:
        """Return a value as plain data, ``None`` with a problem where it is none."""
        self._check_limits(path)
        if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
            value = value.item()
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        if isinstance(value, list | tuple):
            return [self.plain(item, (*path, index)) for index, item in enumerate(value)]
        return self._scalar(value, path)

    def _mapping(self, value: Mapping[Any, Any], path: KeyPath) -> JsonValue:
        data: dict[str, JsonValue] = {}
        for key, item in value.items():
            if isinstance(key, str) and is_text(key):
                data[str(key)] = self.plain(item, (*path, str(key)))
            else:
                self._refuse(path, f"a key must be text, not {key!r:.60}")
        return data

    def _scalar(self, value: Any, path: KeyPath) -> JsonValue:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Path):
            value = str(value)
        if isinstance(value, str):
            return str(value) if is_text(value) else self._refuse(path, "holds a character that is not text")
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else self._refuse(path, f"{value} is not a finite number")
        if isinstance(value, int):
            small = abs(value) < 10**MAX_DIGITS
            return int(value) if small else self._refuse(path, f"number with more than {MAX_DIGITS} digits")
        return self._refuse(path, f"must be text, a number, a list or a mapping, not {type(value).__name__}")

    def _check_limits(self, path: KeyPath) -> None:
        self.values += 1
        if len(path) > MAX_DEPTH:
            raise Refused(Problem(path[:1], f"nested deeper than {MAX_DEPTH} levels"))
        if self.values > MAX_VALUES:
            raise Refused(Problem((), f"holds more than {MAX_VALUES} values"))

    def _refuse(self, path: KeyPath, message: str) -> JsonValue:
        self.problems.append(Problem(path, message, hides=True))
        return None
