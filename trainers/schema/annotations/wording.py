"""Word names and values of annotation files for messages."""

from collections.abc import Sequence
from typing import Any

from trainers.schema.annotations.numbers import shown


def visible(name: str) -> str:
    """Return a name or a path as it is, in quotes where spaces around a part of it could not be seen."""
    return name if all(part and part == part.strip() for part in name.lstrip("/").split("/")) else repr(name)


def some_of(items: Sequence[str], most: int = 3) -> str:
    """Return the first items, and how many more there are: ``a, b, c (and 2 more)``."""
    more = len(items) - most
    return ", ".join(items[:most]) + (f" (and {more} more)" if more > 0 else "")


def has(key: str, value: Any) -> str:
    """Describe an entry's value under a key, or its absence."""
    return f"has no {key}" if value is None else f"has the {key} {shown(value)}"


def images(number: int) -> str:
    """Return ``1 image`` or ``2 images``."""
    return f"{number} {'image' if number == 1 else 'images'}"


def boxes(number: int) -> str:
    """Return ``1 box`` or ``2 boxes``."""
    return f"{number} {'box' if number == 1 else 'boxes'}"
