"""Turn the file names in a study into absolute paths, each relative to the file that gave it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from orchestrator.core.findings import Level
from orchestrator.core.redact import has_password, is_secret_name
from orchestrator.study.inherit import StudySource
from orchestrator.study.location import KeyPath, Problem

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
ROOT: KeyPath = ("dataset", "root")
START: KeyPath = ("weights", "path")  # of a detector: the checkpoint that it starts from
FILES: tuple[KeyPath, ...] = (ROOT, ("teacher", "path"), ("student", *START), ("teacher", "detector", *START))
CONFIGS: tuple[KeyPath, ...] = (("student", "config"), ("teacher", "detector", "config"))
SPACE: KeyPath = ("search", "space")
LONGEST_NAME, LONGEST_PART = 4095, 255  # bytes, Linux's own limits


def resolve_paths(source: StudySource) -> list[Problem]:
    """Replace every file name in ``source.data`` by its absolute path; report variables that are not set.

    A name with such a variable stays as it is. For the dataset's root that is no error: a study can be planned where
    its data is not.
    """
    problems: list[Problem] = []
    for path in file_keys(source.data):
        name = value_at(source.data, path)
        if not isinstance(name, str) or not name:
            continue
        name = "${HOME}" + name[1:] if name.startswith("~/") else name
        wrong = list(_problems_of_variables(path, sorted(set(VARIABLE.findall(name)))))
        if not wrong:
            expanded = VARIABLE.sub(lambda match: os.environ[match[1]], name)
            absolute = os.path.normpath(source.locations.nearest(path).folder / expanded)
            wrong = list(_problems_of_length(path, absolute))
            put(source.data, path, name if wrong else absolute)
        problems += wrong
    return problems


def _problems_of_variables(path: KeyPath, variables: list[str]) -> Iterator[Problem]:
    """Yield variables that are not set, and those whose values must not appear in a path, for paths are recorded."""
    level: Level = "missing" if path == ROOT else "error"
    for variable in variables:
        value = os.environ.get(variable)
        if is_secret_name(variable) or has_password(value or ""):
            message = f"environment variable {variable} looks like a secret, and paths are shown and recorded"
            yield Problem(path, f"{message}: use a variable of another name")
        elif not value:
            yield Problem(path, f"environment variable {variable} is not set", level)


def _problems_of_length(path: KeyPath, name: str) -> Iterator[Problem]:
    """Yield a problem when no file can have this name."""
    longest = max(len(os.fsencode(part)) for part in Path(name).parts)
    if longest > LONGEST_PART or len(os.fsencode(name)) > LONGEST_NAME:
        yield Problem(
            path, f"no file can have this name: longer than {LONGEST_NAME} bytes, or a part than {LONGEST_PART}"
        )


def value_at(data: JsonValue, path: KeyPath) -> JsonValue:
    """Return the value at ``path``, ``None`` where there is none."""
    for key in path:
        if isinstance(data, dict) and isinstance(key, str):
            data = data.get(key)
        elif isinstance(data, list) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data


def is_unresolved(name: str) -> bool:
    """Return whether a file name still holds a variable that is not set on this machine."""
    return VARIABLE.search(name) is not None


def file_keys(data: JsonValue) -> Iterator[KeyPath]:
    """Yield every key path whose value names a file or folder."""
    yield from place_keys(data)
    yield from config_keys(data)


def place_keys(data: JsonValue) -> Iterator[KeyPath]:
    """Yield every key path whose value names data or a checkpoint: those are read where they are, and never shipped."""
    yield from FILES
    for field in FILES[1:]:
        yield from _searched(data, field)


def config_keys(data: JsonValue) -> Iterator[KeyPath]:
    """Yield every key path whose value names a local detector config."""
    for path in (*CONFIGS, *(path for field in CONFIGS for path in _searched(data, field))):
        name = value_at(data, path)
        if isinstance(name, str) and "::" not in name:
            yield path


def _searched(data: JsonValue, field: KeyPath) -> Iterator[KeyPath]:
    """Yield where searched values may give a field: below its own key, or below a section that holds it."""
    for length in range(1, len(field) + 1):
        key = ".".join(map(str, field[:length]))
        values = value_at(data, (*SPACE, key))
        for index in range(len(values) if isinstance(values, list) else 0):
            yield (*SPACE, key, index, *field[length:])


def put(data: JsonValue, path: KeyPath, value: JsonValue) -> None:
    """Replace the value at ``path``, which is there."""
    holder: Any = value_at(data, path[:-1])
    holder[path[-1]] = value
