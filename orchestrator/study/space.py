"""Enumerate the points of a search space: the values of the searched keys, before they meet the study."""

import itertools
import math
import random
from collections.abc import Iterator

from pydantic import JsonValue

from orchestrator.study.conditional import ends_of, filled, numbers_in, ranges_in
from orchestrator.study.fingerprint import canonical_json
from orchestrator.study.ranges import Range
from orchestrator.study.schema import Domain, Search

MAX_TRIALS = 10_000


def size(search: Search) -> int:
    """Return the number of points, each to be run with every seed; of a population the number of members."""
    if search.algorithm.draws:
        return search.samples or 0
    return math.prod(len(values_of(domain)) for domain in search.space.values())


def is_open(search: Search) -> bool:
    """Return whether points follow from results, so that they are known only one after the other."""
    return search.algorithm.is_open


def adds_trials(search: Search) -> bool:
    """Return whether trials follow from results: those of points to come, or of further seeds of known points."""
    return is_open(search) or search.racing is not None


def points(search: Search) -> Iterator[dict[str, JsonValue]]:
    """Yield every point in a fixed order: a grid in file order, the last key fastest, or ``samples`` random draws.

    An open search has none before it runs.
    """
    if is_open(search):
        return
    if not search.algorithm.draws:
        for values in itertools.product(*map(values_of, search.space.values())):
            yield dict(zip(search.space, values, strict=True))
    else:
        generator = random.Random(search.seed)
        for _ in range(search.samples or 0):
            yield {key: draw(domain, generator) for key, domain in search.space.items()}


def values_of(domain: Domain) -> tuple[JsonValue, ...]:
    """Return the values in a list, each range inside them at its two ends, or the two ends of a range."""
    if isinstance(domain, Range):
        return domain.ends
    return tuple(value for item in domain for value in ends_of(item))


def is_listed(domain: Domain) -> bool:
    """Return whether all values of a searched key are listed, so that none is drawn from a range."""
    return not isinstance(domain, Range) and not any(map(ranges_in, domain))


def draw(domain: Domain, generator: random.Random) -> JsonValue:
    """Return a random value of a searched key."""
    if isinstance(domain, Range):
        return domain.draw(generator)
    item = generator.choice(domain)
    return filled(item, {place: inner.draw(generator) for place, inner in ranges_in(item).items()})


def may_have(domain: Domain, value: JsonValue) -> bool:
    """Return whether a value is one of a searched key's."""
    if not isinstance(domain, Range):
        return ListedValues(domain).place_of(value) is not None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return domain.ends[0] <= value <= domain.ends[1]


class ListedValues:
    """Find the places of values in a list, which is looked through once."""

    def __init__(self, domain: tuple[JsonValue, ...]) -> None:
        self._with_ranges = [(place, item) for place, item in enumerate(domain) if ranges_in(item)]
        plain = [(place, item) for place, item in enumerate(domain) if not ranges_in(item)]
        self._plain = {canonical_json(item): place for place, item in reversed(plain)}  # of equal ones the first

    def place_of(self, value: JsonValue) -> int | None:
        """Return the place of the item that a value is, or that its numbers make of it; ``None`` where there is none."""
        made = (place for place, item in self._with_ranges if numbers_in(item, value) is not None)
        found = (self._plain.get(canonical_json(value)), next(made, None))
        return min((place for place in found if place is not None), default=None)
