"""Say why no number of a range can be the value of a searched key."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from orchestrator.study.conditional import ranges_in
from orchestrator.study.fields import Types, is_section, types_at
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.range_forms import as_written
from orchestrator.study.ranges import Int, LogInt, Range, exact
from orchestrator.study.schema import Domain, StudySpec
from orchestrator.study.wording import LONGEST_VALUE, alternatives

MOST_VALUES = 1000  # of a range that are looked at one by one


def undrawable(key: str, domain: Domain) -> Iterator[Problem]:
    """Yield each range of a searched key, also inside of its listed values, that draws no values of the key."""
    for place, found in _ranges(domain):
        path = (*key.split("."), *(part for part in place if isinstance(part, str)))
        reason = _fault(found, types_at(StudySpec, path, None))
        if reason is not None:
            yield Problem(("search", "space", key, *place), reason)


def _ranges(domain: Domain) -> Iterator[tuple[KeyPath, Range]]:
    if isinstance(domain, Range):
        yield (), domain
        return
    for index, item in enumerate(domain):
        for place, found in ranges_in(item).items():
            yield (index, *place), found


def _fault(found: Range, types: Types) -> str | None:
    """Return why a range does not suit a key of these types; bounds are looked at with the numbers themselves."""
    options = [option for item in types if _is(item, Literal) for option in get_args(item)]
    if not types or float in types or (int in types and found.whole):
        return None
    if int in types:
        return f"takes whole numbers, and {found.key()} draws others: {_whole(found)}"
    numbers = [option for option in options if isinstance(option, int | float) and not isinstance(option, bool)]
    if numbers and set(_values(found)) <= set(numbers):
        return None
    names = list(_names(types, options))
    inside = [number for number in numbers if found.ends[0] <= number <= found.ends[1]]
    remedy = f", as in {as_written(inside)}" if inside else ""
    drawn = f"{found.key()} draws {'others' if numbers else 'numbers'}"
    return f"takes {alternatives(names)}, and {drawn}: list its values{remedy}" if names else None


def _is(item: Any, origin: Any) -> bool:
    found: Any = get_origin(item)
    return found is origin


def _whole(found: Range) -> str:
    """Return the range of whole numbers that was probably meant."""
    kind = LogInt if found.logarithmic else Int
    step = "" if found.width is None else f', "step": {exact(found.width)}'
    given = f'{{"{kind.key()}": [{", ".join(map(exact, found.ends))}]{step}}}'
    try:
        written = as_written(kind.model_validate_json(given).model_dump(mode="json"))
    except ValidationError:
        return f"take {kind.key()}"
    return f"write {written}" if len(written) <= LONGEST_VALUE else f"take {kind.key()}"


def _values(found: Range) -> Iterable[float | None]:
    """Return the values that a range can draw; ``None`` for more than can be listed."""
    low, high = found.ends
    steps = None if found.width is None else round((high - low) / found.width)
    if steps is None or steps > MOST_VALUES:
        return (None,)
    return [found.nearest(low + step * (found.width or 0)) for step in range(steps + 1)]


def _names(types: Types, options: list[Any]) -> Iterator[str]:
    """Name the values of a key: its options, or their kinds."""
    yield from (as_written(option) for option in options)
    if bool in types:
        yield "true or false"
    if str in types:
        yield "text"
    if any(_is(item, tuple) for item in types):
        yield "a list"
    if any(map(is_section, types)):
        yield "a mapping"
