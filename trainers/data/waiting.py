"""Count the time that training waits for its data."""

import time
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Waited(Generic[T]):
    """Yield the items of ``items``; ``seconds`` is how long that took since it was last set to 0."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items, self.seconds = items, 0.0

    def __iter__(self) -> Iterator[T]:
        began = time.monotonic()
        for item in self._items:
            self.seconds += time.monotonic() - began
            yield item
            began = time.monotonic()
