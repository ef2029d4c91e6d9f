"""Hold ranges inside a listed mapping: keys that are drawn only where their mapping is chosen.

``{kind: step, milestones: [8], gamma: {uniform: [0.05, 0.5]}}`` among the values of ``schedule.policy`` draws ``gamma`` for step
schedules alone. A mapping with a range's name among its keys is a range, because no section has such a key.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails

from orchestrator.study.range_forms import KINDS, fault_of
from orchestrator.study.ranges import Number, Range
from trainers.schema.foreign_json import parse_json

Place = tuple[str, ...]  # keys within a listed mapping
NOT_IN_A_LIST = "a range does not go into a list"
WHERE_RANGES_GO = "ranges are values of searched keys, and of keys in mappings that are listed for one"


def ranges_in(item: JsonValue) -> Mapping[Place, Range]:
    """Return the ranges inside a listed value, in the order of its keys.

    Raises ``pydantic.ValidationError`` with everything that is wrong with them, each at its keys.
    """
    return _parsed(json.dumps(item)) if isinstance(item, dict) else {}


def misplaced_ranges(item: JsonValue) -> Iterator[InitErrorDetails]:
    """Yield a mistake for each range that is a listed value itself, or stands in a list inside of one: nothing draws it."""
    if isinstance(item, dict) and is_range(item):
        yield _mistake(item, (), f"{NOT_IN_A_LIST} of values: write it without the list, or list numbers")
    else:
        yield from _in_lists(item, ())


def is_range(value: Any) -> bool:
    """Return whether a value is written as a range is."""
    return isinstance(value, dict) and any(isinstance(value.get(kind), list | tuple | dict) for kind in KINDS)


def filled(item: JsonValue, numbers: Mapping[Place, Number]) -> JsonValue:
    """Return a listed value with numbers in the place of its ranges."""
    return _filled(item, numbers, ()) if numbers else item


def ends_of(item: JsonValue) -> tuple[JsonValue, ...]:
    """Return a listed value with all its ranges at their lowest and at their highest; one without ranges as it is."""
    ranges = ranges_in(item)
    if not ranges:
        return (item,)
    return tuple(filled(item, {place: found.ends[end] for place, found in ranges.items()}) for end in (0, 1))


def numbers_in(item: JsonValue, value: JsonValue) -> Mapping[Place, Number] | None:
    """Return the numbers that make ``value`` of a listed value; ``None`` where no numbers of its ranges do."""
    found: dict[Place, Number] = {}
    for place, inner in ranges_in(item).items():
        number = _at(value, place)
        low, high = inner.ends
        if isinstance(number, bool) or not isinstance(number, int | float) or not low <= number <= high:
            return None
        found[place] = number
    return found if filled(item, found) == value else None


def moved(error: ValidationError, place: tuple[str | int, ...]) -> list[InitErrorDetails]:
    """Return the mistakes that an error holds, as mistakes of a larger value in which the checked one is at ``place``."""
    return [
        InitErrorDetails(type=one["type"], loc=(*place, *one["loc"]), input=one["input"], ctx=one.get("ctx", {}))
        for one in error.errors()
    ]


@lru_cache(maxsize=1024)
def _parsed(text: str) -> Mapping[Place, Range]:
    found: dict[Place, Range] = {}
    mistakes: list[InitErrorDetails] = []
    for place, kind, value in _ranges(parse_json(text), ()):
        try:
            found[place] = _range(kind, value)
        except ValidationError as error:
            mistakes += moved(error, place)
    if mistakes:
        raise ValidationError.from_exception_data("ranges", mistakes)
    return found


def _ranges(value: Any, place: Place) -> Iterator[tuple[Place, str, Mapping[str, Any]]]:
    """Yield each range as it is written, with its keys and its kind."""
    if not isinstance(value, dict):
        return
    kinds = [key for key in KINDS if key in value]
    if kinds and place:
        yield place, kinds[0], value
        return
    for key, inner in value.items():
        yield from _ranges(inner, (*place, key))


def _in_lists(value: Any, place: tuple[str | int, ...], *, listed: bool = False) -> Iterator[InitErrorDetails]:
    if listed and is_range(value):
        yield _mistake(value, place, f"{NOT_IN_A_LIST}: write numbers here; {WHERE_RANGES_GO}")
        return
    inner = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for key, item in inner:
        yield from _in_lists(item, (*place, key), listed=listed or isinstance(value, list))


def _mistake(value: Any, place: tuple[str | int, ...], message: str) -> InitErrorDetails:
    return InitErrorDetails(type="value_error", loc=place, input=value, ctx={"error": ValueError(message)})


def _range(kind: str, value: Mapping[str, Any]) -> Range:
    fault = fault_of(value)
    if fault is not None:
        raise ValidationError.from_exception_data(kind, [_mistake(value, (), fault)])
    found: Range = TypeAdapter(KINDS[kind]).validate_json(json.dumps(value))
    return found


def _filled(value: Any, numbers: Mapping[Place, Number], place: Place) -> Any:
    if place in numbers:
        return numbers[place]
    if not isinstance(value, dict):
        return value
    return {key: _filled(inner, numbers, (*place, key)) for key, inner in value.items()}


def _at(value: Any, place: Place) -> Any:
    for key in place:
        value = value.get(key) if isinstance(value, dict) else None
    return value
