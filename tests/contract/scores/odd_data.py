"""Register odd data sets: each a function that spoils one draft of files, named after what is odd in it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.schema import DatasetSpec

Truth = dict[str, Any]  # COCO's JSON form, with the image's file beside its number


@dataclass(frozen=True, slots=True)
class Written:
    """Hold a data set on disk: the section of a study, what the oracle reads of each split, and each class's colour."""

    spec: DatasetSpec
    truths: dict[str, Truth]
    colours: dict[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class Odd:
    """Name an odd data set."""

    name: str
    make: Callable[[Path], Written]
    painted: bool  # whether each box still lies on the filled rectangle of its object

    def __str__(self) -> str:
        return self.name


class Table:
    """Collect the odd data sets of one format."""

    def __init__(self, draft: Callable[[], Any]) -> None:
        self._draft = draft
        self.rows: list[Odd] = []

    def odd(self, spoil: Callable[[Any], None]) -> Callable[[Any], None]:
        """Register a data set whose boxes are not those that are painted."""
        return self._add(spoil, painted=False)

    def painted(self, spoil: Callable[[Any], None]) -> Callable[[Any], None]:
        """Register a data set whose boxes are those that are painted."""
        return self._add(spoil, painted=True)

    def _add(self, spoil: Callable[[Any], None], *, painted: bool) -> Callable[[Any], None]:
        def make(root: Path) -> Written:
            draft = self._draft()
            spoil(draft)
            written: Written = draft.write(root)
            return written

        self.rows.append(Odd(f"{self._draft.__name__}-{spoil.__name__}", make, painted))
        return spoil
