"""Word values and suggestions the same way in every message."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

LONGEST_VALUE = 60


def describe(value: Any) -> str:
    """Name a value and its kind in a few words: ``text 'abc'``, ``a list of 3``, ``true``."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"text {shorten(repr(value))}"
    if isinstance(value, dict):
        return "a mapping"
    return f"a list of {len(value)}" if isinstance(value, list) else shorten(str(value))


def inline(value: Any) -> str:
    """Write a value as a study would, on one line."""
    if isinstance(value, dict):
        return shorten("{" + ", ".join(f"{key}: {inline(item)}" for key, item in value.items()) + "}")
    if isinstance(value, list | tuple):
        return shorten("[" + ", ".join(inline(item) for item in value) + "]")
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return shorten(str(value)) or "''"


def shorten(text: str) -> str:
    """Cut a text that would swamp a message."""
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def counted(number: float, noun: str, plural: str | None = None) -> str:
    """Return ``1 item`` or ``2 items``; ``plural`` is for nouns that take no ``s``, such as ``boxes``."""
    amount = str(number) if isinstance(number, int) else f"{number:.3g}"
    return f"{amount} {noun if amount == '1' else plural or f'{noun}s'}"


def alternatives(options: Iterable[str]) -> str:
    """List options for a sentence: ``a, b or c``."""
    *head, last = options
    return f"{', '.join(head)} or {last}" if head else last


def enumeration(items: Iterable[str]) -> str:
    """List items for a sentence: ``a, b and c``."""
    *head, last = items
    return f"{', '.join(head)} and {last}" if head else last


def closest(word: object, options: Sequence[str], cutoff: float = 0.6) -> str | None:
    """Return the option that is spelt most like ``word``, ``None`` when none is close; ``cutoff`` is difflib's.

    Capitals make no difference: ``SGD`` is close to ``sgd``.
    """
    lower = {option.lower(): option for option in reversed(options)}
    close = difflib.get_close_matches(str(word)[:200].lower(), list(lower), n=1, cutoff=cutoff)
    return lower[close[0]] if close else None


def did_you_mean(word: object, options: Sequence[str]) -> str:
    """Return `` (did you mean x?)`` for the closest option, or nothing when none is close."""
    close = closest(word, options)
    return f" (did you mean {close}?)" if close else ""
