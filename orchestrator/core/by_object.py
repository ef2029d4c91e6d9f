"""Make a value once for each object, for parts that thousands of trials share."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class ByObject(Generic[T]):
    """Keep values that were made of unchanging objects, by the identity of the objects and by plain values ``given``.

    The objects are held, so that no other one takes their place in memory.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Hashable, ...], tuple[tuple[object, ...], T]] = {}

    def of(self, make: Callable[[], T], *parts: object, given: tuple[Hashable, ...] = ()) -> T:
        """Return the value for ``parts`` and ``given``; ``make`` makes it at the first call."""
        key = (*map(id, parts), *given)
        if key not in self._found:
            self._found[key] = parts, make()
        return self._found[key][1]
