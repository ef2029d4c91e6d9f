"""Write plain data as an mmengine config in Python."""

from collections.abc import Mapping, Sequence
from keyword import iskeyword
from typing import Any

WIDTH = 100  # columns
STEP = "    "


class Code(str):
    """Stand for an expression in a config, such as the name of a variable, where other text stands for itself."""

    __slots__ = ()


def config_source(values: Mapping[str, Any], heading: str = "") -> str:
    """Return a config that gives each name its value; ``heading`` becomes a comment at its top.

    Values are made of mappings, lists, tuples, texts, numbers, ``None`` and ``Code``.
    """
    comment = "".join(f"# {line}\n" for line in heading.splitlines())
    return comment + "".join(f"{name} = {_text(value, '')}\n" for name, value in values.items())


def _text(value: Any, indent: str) -> str:
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, Mapping):
        keywords = all(isinstance(key, str) and key.isidentifier() and not iskeyword(key) for key in value)
        items = [(f"{key}=" if keywords else f"{key!r}: ", item) for key, item in value.items()]
        return _brackets("dict(" if keywords else "{", ")" if keywords else "}", items, indent)
    if isinstance(value, list | tuple):
        return _sequence(value, indent)
    return repr(value)


def _sequence(value: Sequence[Any], indent: str) -> str:
    opening, closing = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
    return _brackets(opening, closing, [("", item) for item in value], indent)


def _brackets(opening: str, closing: str, items: Sequence[tuple[str, Any]], indent: str) -> str:
    """Return the items in brackets: on one line where they fit, else each on its own."""
    line = opening + ", ".join(f"{key}{_text(item, indent)}" for key, item in items) + closing
    if "\n" not in line and len(indent) + len(line) <= WIDTH:
        return line
    below = indent + STEP
    inner = "".join(f"{below}{key}{_text(item, below)},\n" for key, item in items)
    return f"{opening}\n{inner}{indent}{closing.lstrip(',')}"
