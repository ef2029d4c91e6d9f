"""Collect oddities in a file of annotations, so that a mistake made a million times takes no memory."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from trainers.schema.annotations.kinds import CATEGORIES_WITHOUT_ID, NAMELESS_CATEGORIES, OddityKind

MOST = 20  # notes of one kind that are kept; the others are counted


class Note(NamedTuple):
    """Hold one note about a file; ``where`` is the file and the place in it."""

    kind: OddityKind
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


@dataclass(slots=True)
class Notes:
    """Hold the first notes of each kind, and how many there are."""

    told: dict[OddityKind, list[Note]] = field(default_factory=dict)
    counts: Counter[OddityKind] = field(default_factory=Counter)

    def add(self, kind: OddityKind, where: str, message: str) -> None:
        """Note something."""
        self.counts[kind] += 1
        if self.counts[kind] <= MOST:
            self.told.setdefault(kind, []).append(Note(kind, where, message))

    @property
    def stopping(self) -> Note | None:
        """Return the first note that makes training and evaluation impossible."""
        return next((told[0] for kind, told in self.told.items() if kind.stops), None)

    @property
    def names_all(self) -> bool:
        """Return whether all categories have their names: else a name that seems to be missing may be theirs."""
        return not {NAMELESS_CATEGORIES, CATEGORIES_WITHOUT_ID} & self.told.keys()
