"""Keep what was made of objects that thousands of others share: a part that stays the same object is looked at once."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class ByObject(Generic[T]):
    """Keep what was made of unchanging objects, found again by which objects they are and by plain values ``given``.

    The objects are held, so that no other one takes their place in memory.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[Hashable, ...], tuple[tuple[object, ...], T]] = {}

    def of(self, make: Callable[[], T], *parts: object, given: tuple[Hashable, ...] = ()) -> T:
        """Return what ``make`` makes of ``parts`` and ``given``, made once."""
        key = (*map(id, parts), *given)
        if key not in self._found:
            self._found[key] = parts, make()
        return self._found[key][1]
