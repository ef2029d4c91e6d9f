"""Word pydantic's errors for a study: the rule, the expected value and the given one."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.study.fields import (
    alternatives_of,
    is_section,
    of_kind,
    step,
    types_at,
)
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.misplaced import misplaced
from orchestrator.study.paths import value_at
from orchestrator.study.schema import NAME, PAGES, StudySpec
from orchestrator.study.suggestions import hint_for_key, hint_for_kind, hint_for_value, meant_key
from orchestrator.study.wording import alternatives, counted, describe, did_you_mean, inline
from trainers.schema.base import OtherValue, kind_of
from trainers.schema.terms import term_kinds

MOST_PROBLEMS = 100  # nobody reads on, and a hostile study must not cost more
TYPES = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}
LIMITS = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("at most", "le"),
}
CHOICES = ("literal_error", "enum")
LENGTHS = {"too_short": ("at least", "min_length"), "too_long": ("at most", "max_length")}
PATTERNS = {
    NAME: "may hold letters, digits, '.', '_' and '-' and starts with a letter or digit",
    PAGES: "must be the address of a dashboard, such as http://HOST:8280/, without password, ? and #",
}


@dataclass(frozen=True, slots=True)
class ValidationEntry:
    """Hold one of pydantic's errors with the key path that it is about.

    ``union`` and ``member`` say as which alternative of which union without ``kind`` the value was tried, ``within`` where
    the data are in a study.
    """

    path: KeyPath
    error: ErrorDetails
    union: KeyPath | None
    member: str | int | None
    within: KeyPath = ()

    @property
    def limits(self) -> dict[str, Any]:
        """Return the numbers and texts that pydantic adds to the error."""
        return self.error.get("ctx", {})


def explain(error: ValidationError, root: Any, data: JsonValue, within: KeyPath = ()) -> list[Problem]:
    """Return one problem for each mistake that validating ``data``, a study or its part at ``within``, as ``root`` has found."""
    return explain_all(error.errors(include_url=False), root, data, within)


def explain_all(errors: Sequence[ErrorDetails], root: Any, data: JsonValue, within: KeyPath = ()) -> list[Problem]:
    """Return the same for pydantic's descriptions of errors."""
    found = [_entry(details, root, within) for details in errors[:MOST_PROBLEMS]]
    misplaced = _misplaced(found, data) if root is StudySpec else {}
    entries = [entry for entry in found if not _follows(entry, found, root, data)]
    entries = [entry for entry in entries if not any(entry.path[: len(path)] == path for path in misplaced)]
    plain = [_problem(entry, root, data) for entry in entries if entry.union is None]
    tried = groupby([entry for entry in entries if entry.union is not None], key=lambda entry: entry.union)
    tried_in_vain = [problem for _, group in tried for problem in _explain_union(list(group), root, data)]
    return [*(Problem(path, message) for path, message in misplaced.items()), *plain, *tried_in_vain]


def _misplaced(entries: Iterable[ValidationEntry], data: JsonValue) -> dict[KeyPath, str]:
    """Return the messages about searched values in the wrong place, which replace those about their parts."""
    found = (misplaced(entry.path, data) for entry in entries)
    return dict(one for one in found if one is not None)


def _entry(error: ErrorDetails, root: Any, within: KeyPath) -> ValidationEntry:
    """Strip the names of union members, which pydantic inserts, from an error's location."""
    types = alternatives_of(root)
    path: KeyPath = ()
    union: KeyPath | None = None
    member: str | int | None = None
    rest = list(error["loc"])
    while rest:
        if len(types) > 1:
            label = rest.pop(0)
            chosen = of_kind(types, label)
            if chosen is types:
                union, member = path, label
            types = chosen
        if rest:
            key = rest.pop(0)
            types, path = step(types, key), (*path, key)
    return ValidationEntry(path, error, union, member, within)


def _follows(entry: ValidationEntry, others: Iterable[ValidationEntry], root: Any, data: JsonValue) -> bool:
    """Return whether an error is only the consequence of another one, which is told."""
    kind = entry.error["type"]
    if kind == "too_short":  # pydantic counts the right items only
        value = value_at(data, entry.path)
        return isinstance(value, dict | list) and len(value) >= entry.limits["min_length"]
    return kind == "missing" and entry.path in {_meant(other, root, data) for other in others}


def _meant(entry: ValidationEntry, root: Any, data: JsonValue) -> KeyPath | None:
    """Return the key that an unknown one was probably meant to be."""
    return meant_key(entry.path, root, data) if entry.error["type"] == "extra_forbidden" else None


def _explain_union(entries: list[ValidationEntry], root: Any, data: JsonValue) -> Iterator[Problem]:
    """Report on the alternative that fits best: the one that pydantic could follow furthest into the value."""
    furthest = max(entries, key=lambda entry: len(entry.path))
    ruled = [entry for entry in entries if _expected(entry) is None]
    if furthest.path != furthest.union:
        chosen = [entry for entry in entries if entry.member == furthest.member]
    elif ruled or len(entries) == 1:
        chosen = ruled or entries
    else:
        options = alternatives(filter(None, map(_expected, entries)))
        yield Problem(furthest.path, _wrong_type(options, furthest.path, root, data))
        return
    yield from (_problem(entry, root, data) for entry in chosen)


def _problem(entry: ValidationEntry, root: Any, data: JsonValue) -> Problem:
    """Word one error."""
    kind = entry.error["type"]
    if kind == "extra_forbidden":
        return Problem(entry.path, "unknown key" + hint_for_key(entry.path, root, data))
    if kind == "missing":
        return _missing(entry.path, root, data)
    if kind.startswith("union_tag"):
        return _wrong_kind(entry.path, root, data)
    if kind in TYPES:
        return Problem(entry.path, _wrong_type(TYPES[kind], entry.path, root, data))
    return Problem(entry.path, _broken_rule(entry, value_at(data, entry.path)))


def _missing(path: KeyPath, root: Any, data: JsonValue) -> Problem:
    *parent, key = path
    if isinstance(key, str):
        return Problem(path, "this key is required")
    return _wrong_length(tuple(parent), root, data)


def _wrong_length(path: KeyPath, root: Any, data: JsonValue) -> Problem:
    """Word a list that is shorter than the fixed number of its items."""
    value = value_at(data, path)
    [fixed] = types_at(root, path, data)
    wanted, got = len(fixed.__args__), len(value) if isinstance(value, list) else 0
    return Problem(path, f"expected {counted(wanted, 'item')}, got {got}")


def _wrong_kind(path: KeyPath, root: Any, data: JsonValue) -> Problem:
    kinds = [kind_of(item) or "" for item in types_at(root, path, None) if is_section(item)]
    value = value_at(data, path)
    if not isinstance(value, dict) or "kind" not in value:
        return Problem((*path, "kind"), f"this key is required: {alternatives(kinds)}")
    kind = value["kind"]
    if "terms" in kinds and isinstance(kind, str) and kind in term_kinds():
        return Problem((*path, "kind"), f"{kind} is a term: write {{kind: terms, terms: [{{kind: {kind}}}]}}")
    return Problem(
        (*path, "kind"), f"unknown kind {inline(kind)}{hint_for_kind(kind, kinds)}: it is {alternatives(kinds)}"
    )


def _broken_rule(entry: ValidationEntry, value: JsonValue) -> str:
    kind, limits = entry.error["type"], entry.limits
    if kind in CHOICES:
        return f"must be {_expected(entry)}, got {describe(value)}{did_you_mean(value, _options(entry))}"
    if kind in LIMITS:
        word, limit = LIMITS[kind]
        return f"must be {word} {limits[limit]:g}, got {describe(value)}"
    if kind in LENGTHS:
        word, limit = LENGTHS[kind]
        got = limits["actual_length"] or (len(value) if isinstance(value, dict | list) else 0)
        return f"must have {word} {counted(limits[limit], 'item')}, got {got}"
    return _broken_text_rule(entry, value)


def _wrong_type(wanted: str, path: KeyPath, root: Any, data: JsonValue) -> str:
    """Describe a value of the wrong type."""
    value = value_at(data, path)
    numbered = isinstance(value, dict) and value and list(value) == [str(number) for number in range(len(value))]
    hint = " of numbers: write its values as a list, in this order" if numbered else hint_for_value(path, root, data)
    return f"expected {wanted}, got {describe(value)}{hint}"


def _broken_text_rule(entry: ValidationEntry, value: JsonValue) -> str:
    kind, limits = entry.error["type"], entry.limits
    if kind == "string_pattern_mismatch":
        pattern = limits["pattern"]
        return f"{PATTERNS.get(pattern, f'must match the regular expression {pattern}')}, got {describe(value)}"
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "string_too_long":
        return f"must have at most {limits['max_length']} characters, got {len(str(value))}"
    if kind == "value_error":
        return _told(limits["error"], (*entry.within, *entry.path))
    return f"{entry.error['msg']}, got {describe(value)}"


def _told(error: ValueError, path: KeyPath) -> str:
    """Word a rule's own message, with the whole key of the value that would do."""
    if not isinstance(error, OtherValue) or not path:
        return str(error)
    return f"{error}, or --set {'.'.join(map(str, path))}.{error.key}={error.value}"


def _expected(entry: ValidationEntry) -> str | None:
    """Return the expected type for a value of the wrong type; ``None`` when another rule is broken."""
    if entry.error["type"] in CHOICES:
        return alternatives(_options(entry))
    return TYPES.get(entry.error["type"])


def _options(entry: ValidationEntry) -> list[str]:
    return [option.strip("'") for option in re.split(", | or ", entry.limits["expected"])]
