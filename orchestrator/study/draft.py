"""Validate a study's raw data and keep its valid parts, so that one run checks all of it."""

import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pydantic import JsonValue, ValidationError

from orchestrator.study.fields import is_section, types_at
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.messages import MOST_PROBLEMS, explain
from orchestrator.study.paths import value_at
from orchestrator.study.schema import StudySpec

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

    study: StudySpec
    unusable: frozenset[str]
    left_out: tuple[KeyPath, ...]

    def has(self, sections: Iterable[str]) -> bool:
        """Return whether all these sections are usable."""
        return self.unusable.isdisjoint(sections)

    def means(self, problem: Problem) -> bool:
        """Return whether a problem is about the study itself, not about a placeholder for a wrong value.

        A mapping that a wrong value was taken out of is not judged as a whole, and a searched key with a wrong value
        says nothing about the key that it sets.
        """
        wrong = (*self.left_out, *filter(None, map(_set_by, self.left_out)))
        keys = (problem.path, *problem.rests_on)
        return not any(is_below(key, wrong) for key in keys) and not any(is_below(path, keys) for path in wrong)

    def doubting(self, wrong: Iterable[KeyPath]) -> "Draft":
        """Return this draft with more wrong values."""
        return replace(self, left_out=(*self.left_out, *wrong))


def validate(data: dict[str, JsonValue], unread: Iterable[KeyPath]) -> tuple[Draft, list[Problem]]:
    """Return the study in ``data`` and everything that is wrong with its sections, each on its own.

    ``unread`` names values that could not be read at all; they are reported already.
    """
    mistakes = _mistakes(data)
    problems = [problem for problem in mistakes if not is_below(problem.path, unread)]
    if len(mistakes) >= MOST_PROBLEMS:  # there may be more, so nothing can be repaired
        return Draft(_study(PLACEHOLDERS), frozenset(StudySpec.model_fields), ()), problems
    wrong = (*(problem.path for problem in problems), *unread)
    if not wrong:
        return Draft(_study(data), frozenset(), ()), []
    repaired, gone = _without(data, wrong)
    lost = {str(path[0]) for path in wrong if not is_below(path, REPAIRABLE)}
    lost |= {str(path[0]) for path in gone if len(path) == 1}
    lost |= {str(problem.path[0]) for problem in _mistakes(repaired)}
    return Draft(_study(_patched(repaired, lost)), frozenset(lost), tuple(gone)), problems


def without_contents(problems: Iterable[Problem], mistakes: Iterable[Problem]) -> list[Problem]:
    """Return the problems but for unreadable keys and values of a mapping that is a mistake itself."""
    wrong = {mistake.path for mistake in mistakes}
    return [problem for problem in problems if not (problem.hides and problem.path[:-1] in wrong)]


def is_below(path: KeyPath, parents: Iterable[KeyPath]) -> bool:
    """Return whether ``path`` is one of ``parents`` or lies within one."""
    return any(path[: len(parent)] == parent for parent in parents if parent)


def _set_by(path: KeyPath) -> KeyPath:
    """Return the key that a searched one sets, or nothing for a path outside of the search space."""
    return tuple(str(path[2]).split(".")) if path[:2] == ("search", "space") and len(path) > 2 else ()


def _study(data: dict[str, JsonValue]) -> StudySpec:
    # By way of JSON: strict mode takes JSON's lists for tuples, but not Python's.
    return StudySpec.model_validate_json(json.dumps(data))


def _mistakes(data: dict[str, JsonValue]) -> list[Problem]:
    try:
        _study(data)
    except ValidationError as error:
        return explain(error, StudySpec, data)
    return []


def _without(data: dict[str, JsonValue], wrong: Iterable[KeyPath]) -> tuple[dict[str, JsonValue], list[KeyPath]]:
    """Return a copy of ``data`` without its wrong values, and the removed values."""
    kept = copy.deepcopy(data)
    gone = [path for wrong_path in wrong for path in _to_remove(wrong_path, data)]
    for path in gone:
        holder = value_at(kept, path[:-1])
        if isinstance(holder, dict):
            holder.pop(str(path[-1]), None)
    return kept, gone


def _to_remove(path: KeyPath, data: dict[str, JsonValue]) -> Iterator[KeyPath]:
    """Yield the keys to remove for a mistake: of a mapping that is wrong as a whole, those that it can do without."""
    sections = [item for item in types_at(StudySpec, path, data) if is_section(item)]
    value = value_at(data, path)
    if path[:2] == ("search", "space"):
        yield path[:3]  # a searched key goes with all its values
    elif isinstance(value, dict) and sections:
        required = {key for item in sections for key, field in item.model_fields.items() if field.is_required()}
        yield from ((*path, key) for key in value if key not in required)
    else:
        yield path


def _patched(data: dict[str, JsonValue], lost: set[str]) -> dict[str, JsonValue]:
    """Return ``data`` with placeholders for whole sections."""
    right = {key: value for key, value in data.items() if key not in lost}
    return right | {key: value for key, value in PLACEHOLDERS.items() if key in lost}
