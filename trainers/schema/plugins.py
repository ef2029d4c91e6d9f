"""Load the extensions of installed packages: each extension point is a group of entry points. Imports nothing heavy."""

from collections.abc import Callable, Iterable
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


def top_packages(*groups: str) -> list[str]:
    """Return the names of the top-level packages that the entry points of ``groups`` lead into, sorted."""
    return sorted({point.module.partition(".")[0] for group in groups for point in _by_group().get(group, ())})


def plugged_sections(
    group: str, wanted: type[S], fault: Callable[[type[S]], str | None] = lambda section: None
) -> tuple[type[S], ...]:
    """Return the subclasses of ``wanted`` that installed packages name in ``group``, as ``plugged`` does.

    A section has to set the class variables that ``wanted`` declares; ``fault`` says why one is refused all the same.
    """
    points = sorted(_by_group().get(group, ()), key=lambda point: point.name)
    return tuple(_section(point, wanted, fault) for point in points)


def one_of(sections: Iterable[type[Section]]) -> Any:
    """Return the type of a value that is one of these sections, as its ``kind`` says."""
    return Annotated[reduce(or_, sections), Field(discriminator="kind")]


def resolved(place: str, named_by: str) -> Any:
    """Import and return the object of an import string, ``module:name``.

    Raises ``BrokenPlugin``, which tells who named it, when it is not there. Other errors of the module pass: they are
    faults of its code, and their traceback leads there.
    """
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except (AttributeError, ImportError, ValueError) as error:
        raise BrokenPlugin(
            f"{named_by} names {place}, which cannot be loaded: {type(error).__name__}: {error}; mend the name"
        ) from error


def require_members(found: object, wanted: type, named_by: str, place: str) -> None:
    """Raise ``BrokenPlugin`` when an object lacks a public member that the protocol ``wanted`` has."""
    lacking = [name for name in vars(wanted) if not name.startswith("_") and not hasattr(found, name)]
    if "__call__" in vars(wanted) and not callable(found):
        lacking.append("__call__")
    if lacking:
        raise BrokenPlugin(f"{named_by} names {place}, which lacks {', '.join(lacking)} of {name_of(wanted)}")


def name_of(section: type) -> str:
    """Return the name of a class for messages, with its module."""
    return f"{section.__module__}.{section.__name__}"


@cache
def _by_group() -> dict[str, list[EntryPoint]]:
    """Return our groups; cached, because a look through all installed packages takes a hundredth of a second."""
    found = entry_points()
    return {group: list(found.select(group=group)) for group in found.groups if group.startswith("stillhouse.")}


def _loaded(point: EntryPoint, wanted: type[T]) -> T:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # anything that a stranger's module raises
        raise broken(point, f"cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(found, wanted):
        name = "class" if wanted is type else wanted.__name__
        raise broken(point, f"is no {name}, but of type {type(found).__name__}")
    return found


def _section(point: EntryPoint, wanted: type[S], fault: Callable[[type[S]], str | None]) -> type[S]:
    section = _loaded(point, type)
    if not issubclass(section, wanted):
        raise broken(point, f"is {name_of(section)}, which is no {wanted.__name__}")
    unset = [name for name in sorted(wanted.__class_vars__) if not hasattr(section, name)]
    reason = f"does not set the class variable {unset[0]} of {wanted.__name__}" if unset else fault(section)
    if reason is not None:
        raise broken(point, reason)
    return section


def broken(point: EntryPoint, reason: str) -> BrokenPlugin:
    """Return the error for an entry point, which names its package."""
    package = point.dist.name if point.dist else "?"
    return BrokenPlugin(
        f"entry point {point.name} = {point.value} ({point.group}) of package {package} {reason}; mend or remove it"
    )


def by_kind(built_in: tuple[type[S], ...], found: tuple[type[S], ...], group: str) -> dict[str, type[S]]:
    """Return sections by the ``kind`` that chooses them; raise ``BrokenPlugin`` when two have the same."""
    table: dict[str, type[S]] = {}
    for section in (*built_in, *found):
        kind = kind_of(section)
        if kind is None or kind in table:
            taken = kind is not None and f"has the kind {kind}, which {name_of(table[kind])} has too"
            raise BrokenPlugin(
                f"{name_of(section)} ({group}) {taken or 'has no kind: Literal[...]'}; mend or remove it"
            )
        table[kind] = section
    return table
