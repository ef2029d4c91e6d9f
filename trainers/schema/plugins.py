"""Load the extensions of installed packages: each extension point is a group of entry points. Imports nothing heavy."""

from collections.abc import Iterable
from functools import cache, reduce
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from operator import or_
from typing import Annotated, Any, TypeVar

from pydantic import Field

from trainers.schema.base import Section, kind_of

T = TypeVar("T")
S = TypeVar("S", bound=Section)


class BrokenPlugin(Exception):
    """Report an installed package whose entry point cannot be used; the message is one sentence for the user."""


def plugged(group: str, wanted: type[T]) -> tuple[T, ...]:
    """Return the objects that installed packages name in ``group``, in the order of the entry points' names.

    Raises ``BrokenPlugin`` for one that cannot be imported or is no ``wanted``.
    """
    points = sorted(_by_group().get(group, ()), key=lambda point: point.name)
    return tuple(_loaded(point, wanted) for point in points)


def plugged_sections(group: str, wanted: type[S]) -> tuple[type[S], ...]:
    """Return the subclasses of ``wanted`` that installed packages name in ``group``, as ``plugged`` does."""
    found = plugged(group, type)
    for section in found:
        if not issubclass(section, wanted):
            raise BrokenPlugin(f"{group}: {section.__module__}.{section.__name__} is no {wanted.__name__}")
    return found


def one_of(sections: Iterable[type[Section]]) -> Any:
    """Return the type of a value that is one of these sections, as its ``kind`` says."""
    return Annotated[reduce(or_, sections), Field(discriminator="kind")]


def resolved(place: str) -> Any:
    """Import and return the object of an import string, ``module:name``."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


@cache
def _by_group() -> dict[str, list[EntryPoint]]:
    """Return our groups; cached, because a look through all installed packages takes a hundredth of a second."""
    found = entry_points()
    return {group: list(found.select(group=group)) for group in found.groups if group.startswith("stillhouse.")}


def _loaded(point: EntryPoint, wanted: type[T]) -> T:
    place = (
        f"entry point {point.name} = {point.value} ({point.group}) of package {point.dist.name if point.dist else '?'}"
    )
    try:
        found = point.load()
    except Exception as error:  # any error that a stranger's module raises
        raise BrokenPlugin(f"{place} cannot be loaded: {type(error).__name__}: {error}; mend or remove it") from error
    if not isinstance(found, wanted):
        raise BrokenPlugin(f"{place} is no {wanted.__name__}, but a {type(found).__name__}; mend or remove it")
    return found


def by_kind(built_in: tuple[type[S], ...], found: tuple[type[S], ...], group: str) -> dict[str, type[S]]:
    """Return sections by the ``kind`` that chooses them; raise ``BrokenPlugin`` when two have the same."""
    table: dict[str, type[S]] = {}
    for section in (*built_in, *found):
        kind = kind_of(section)
        if kind is None or kind in table:
            place = f"{section.__module__}.{section.__name__} ({group})"
            fault = "has no kind: Literal[...]" if kind is None else f"has the kind {kind}, which another one has"
            raise BrokenPlugin(f"{place} {fault}; mend or remove it")
        table[kind] = section
    return table
