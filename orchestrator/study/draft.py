"""Validate a study's raw data, keeping what is right when something else is wrong, so that all of it gets checked."""

import copy
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue, ValidationError

from orchestrator.study.fields import is_section, types_at
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.messages import explain
from orchestrator.study.paths import value_at
from orchestrator.study.schema import Study

# Where a wrong value can be left out and the rest still be checked: what its default then says is not reported.
REPAIRABLE: tuple[KeyPath, ...] = (("search", "space"), ("student",), ("teacher",))
# What stands in for a required section that is wrong; an optional one takes its default.
PLACEHOLDERS: dict[str, JsonValue] = {
    "name": "placeholder",
    "dataset": {"kind": "shapes"},
    "student": {"config": "placeholder"},
    "method": {"kind": "none"},
}


@dataclass(frozen=True, slots=True)
class Draft:
    """Hold a study of which only the sections outside ``unusable`` mean anything; ``left_out`` are wrong values."""

    study: Study
    unusable: frozenset[str]
    left_out: tuple[KeyPath, ...]

    def has(self, sections: Iterable[str]) -> bool:
        """Tell whether all these sections are usable."""
        return self.unusable.isdisjoint(sections)

    def means(self, problem: Problem) -> bool:
        """Tell whether a problem is about what the study says, not about what stands in for a wrong value."""
        return not is_below(problem.path, self.left_out)


def validate(data: dict[str, JsonValue], unread: Iterable[KeyPath]) -> tuple[Draft, list[Problem]]:
    """Return the study in ``data`` and everything that is wrong with its sections, each on its own.

    ``unread`` names values that could not be read at all; they are reported already.
    """
    problems = [problem for problem in _mistakes(data) if not is_below(problem.path, unread)]
    wrong = (*(problem.path for problem in problems), *unread)
    if not wrong:
        return Draft(_study(data), frozenset(), ()), []
    repaired = _repaired(data, wrong)
    lost = {str(path[0]) for path in wrong if not is_below(path, REPAIRABLE)}
    lost |= {str(problem.path[0]) for problem in _mistakes(repaired)}
    return Draft(_study(_patched(repaired, lost)), frozenset(lost), wrong), problems


def is_below(path: KeyPath, parents: Iterable[KeyPath]) -> bool:
    """Tell whether ``path`` is one of ``parents`` or lies within one."""
    return any(path[: len(parent)] == parent for parent in parents if parent)


def _study(data: dict[str, JsonValue]) -> Study:
    # By way of JSON: strict mode takes JSON's lists for tuples, but not Python's.
    return Study.model_validate_json(json.dumps(data))


def _mistakes(data: dict[str, JsonValue]) -> list[Problem]:
    try:
        _study(data)
    except ValidationError as error:
        return explain(error, Study, data)
    return []


def _repaired(data: dict[str, JsonValue], wrong: Iterable[KeyPath]) -> dict[str, JsonValue]:
    """Return a copy of ``data`` without its wrong values; of a mapping that is wrong as a whole, the least remains."""
    repaired = copy.deepcopy(data)
    for path in wrong:
        cut = path[:3] if path[:2] == ("search", "space") else path  # a searched key goes with all its values
        holder: Any = value_at(repaired, cut[:-1])
        if not isinstance(holder, dict) or cut[-1] not in holder:
            continue
        value = holder.pop(cut[-1])
        if isinstance(value, dict) and cut == path:
            holder[cut[-1]] = _least(path, value, data)
    return repaired


def _least(path: KeyPath, value: dict[str, JsonValue], data: dict[str, JsonValue]) -> dict[str, JsonValue]:
    sections = [item for item in types_at(Study, path, data) if is_section(item)]
    required = {key for item in sections for key, field in item.model_fields.items() if field.is_required()}
    return {key: item for key, item in value.items() if key in required}


def _patched(data: dict[str, JsonValue], lost: set[str]) -> dict[str, JsonValue]:
    """Return ``data`` with placeholders for whole sections."""
    right = {key: value for key, value in data.items() if key not in lost}
    return right | {key: value for key, value in PLACEHOLDERS.items() if key in lost}
