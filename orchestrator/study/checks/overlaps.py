"""Check that no two searched keys set the same setting: a point would be named after a value that it does not have."""

from collections.abc import Iterator
from itertools import combinations

from pydantic import JsonValue

from orchestrator.study.checks.context import Context
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.schema import Domain


def check_overlaps(context: Context) -> Iterator[Problem]:
    """Yield each searched key whose setting a mapping among the values of a shorter key sets as well."""
    space = context.study.search.space
    for whole, key in combinations(sorted(space, key=lambda key: key.count(".")), 2):
        inner = key.removeprefix(f"{whole}.")
        place = _place_of(space[whole], tuple(inner.split("."))) if inner != key else None
        if place is not None:
            message = f"another searched key sets {key} too, and a trial can have one of them: leave it out of one"
            path, other = ("search", "space", key), ("search", "space", whole, *place)
            yield Problem(path, message, beside=other, rests_on=(other,))


def _place_of(domain: Domain, inner: tuple[str, ...]) -> KeyPath | None:
    """Return where the first listed value that sets a key within itself does so, ``None`` where none does."""
    items = enumerate(domain) if isinstance(domain, tuple) else ()
    found = ((index, _set_in(item, inner)) for index, item in items)
    return next(((index, *keys) for index, keys in found if keys is not None), None)


def _set_in(item: JsonValue, inner: tuple[str, ...]) -> KeyPath | None:
    """Return the keys within a value that decide about the key ``inner``: down to it, or to null in place of a mapping."""
    for length, name in enumerate(inner):
        if not isinstance(item, dict):
            return inner[:length]
        if name not in item:
            return None
        item = item[name]
    return inner
