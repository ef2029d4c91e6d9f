"""Say where searched values belong, of those that a study has in another place."""

import re
from collections.abc import Iterator
from typing import Any, get_origin

from pydantic import JsonValue

from orchestrator.study.conditional import WHERE_RANGES_GO, is_range
from orchestrator.study.fields import types_at
from orchestrator.study.location import KeyPath, dotted
from orchestrator.study.paths import SPACE, value_at
from orchestrator.study.range_forms import KINDS, as_written
from orchestrator.study.schema import StudySpec
from orchestrator.study.substitute import searchable_keys
from orchestrator.study.wording import LONGEST_VALUE, enumeration

MOST_SHOWN = 3  # keys of a nested mapping


def misplaced(path: KeyPath, data: JsonValue) -> tuple[KeyPath, str] | None:
    """Return where the searched values are that a mistake at ``path`` comes from, and where they belong.

    These are ranges and lists of values in a section, and nested keys in the search space.
    """
    if path[: len(SPACE)] == SPACE:
        key = path[: len(SPACE) + 1]
        value = value_at(data, key)
        message = _nested(str(key[-1]), value) if len(key) > len(SPACE) and isinstance(value, dict) else None
        return None if message is None else (key, message)
    inner = (path[:length] for length in range(1, len(path) + 1))
    place = next((place for place in inner if is_range(value_at(data, place))), None)
    if place is not None:
        return place, _of_section(place, value_at(data, place))
    value = value_at(data, path)
    if isinstance(value, list) and value and dotted(path) in searchable_keys() and not _takes_lists(dotted(path)):
        return path, f"is one value: several go into search.space{_as_searched(path, value)}"
    return None


def whole_list(key: str) -> str | None:
    """Return the list that a key reaches into, which is searched as a whole: ``method.terms`` of ``method.terms[0].weight``."""
    parts = re.split(r"[.\[]", key)
    for length in range(len(parts) - 1, 0, -1):
        above = _known(".".join(parts[:length]))
        if above in searchable_keys() and _takes_lists(above):
            return above
    return None


def _takes_lists(key: str) -> bool:
    origins: list[Any] = [get_origin(item) for item in types_at(StudySpec, tuple(key.split(".")), None)]
    return tuple in origins


def _of_section(path: KeyPath, value: JsonValue) -> str:
    if dotted(path) in searchable_keys():
        return f"a range goes into search.space{_as_searched(path, value)}"
    return f"a range does not go here: {WHERE_RANGES_GO}"


def _as_searched(path: KeyPath, value: JsonValue) -> str:
    written = as_written(value)
    return f": write search: {{space: {{{dotted(path)}: {written}}}}}" if len(written) <= LONGEST_VALUE else ""


def _nested(key: str, value: dict[str, JsonValue]) -> str | None:
    """Return how a searched key whose values are nested below it is written, ``None`` for any other mapping."""
    if any(kind in value for kind in KINDS):
        return None
    found = {_known(f"{key}.{inner}"): leaf for inner, leaf in _leaves(value)}
    whole = next(filter(None, map(whole_list, found)), None)
    if whole is not None:
        return f"nests keys, and {whole} is searched as a whole: write {whole}, with whole lists as its values"
    if not any(name in searchable_keys() for name in found):
        return None
    lines = [_line(name, leaf) for name, leaf in found.items()]
    shown = [*lines[:MOST_SHOWN], f"{len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else lines
    return (
        f"nests keys, which are written with dots: write {enumeration(shown)}; a mapping as one value stands in a list"
    )


def _line(name: str, leaf: JsonValue) -> str:
    """Return a searched key with its values: those of a list, a range, or a single value."""
    listed = (
        leaf
        if isinstance(leaf, list) and (not _takes_lists(name) or any(isinstance(x, list) for x in leaf))
        else [leaf]
    )
    written = f"{name}: {as_written(leaf if is_range(leaf) else listed)}"
    return written if len(written) <= LONGEST_VALUE else name


def _leaves(value: dict[str, JsonValue]) -> Iterator[tuple[str, JsonValue]]:
    """Yield the keys below a mapping, with dots, that have values of their own: a range is one."""
    for key, item in value.items():
        if isinstance(item, dict) and item and not is_range(item):
            yield from ((f"{key}.{inner}", leaf) for inner, leaf in _leaves(item))
        else:
            yield key, item


def _known(name: str) -> str:
    """Return the searchable key that a name means: itself, or one whose first sections were left out."""
    ends = [known for known in searchable_keys() if known.endswith(f".{name}")]
    return name if name in searchable_keys() else min(ends, key=lambda known: known.count("."), default=name)
