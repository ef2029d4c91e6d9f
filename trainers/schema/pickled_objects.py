"""Represent a pickle's objects besides plain values: inert classes and functions, a few rebuilt containers.

Each rebuilder stands for a function that a file may name. It checks every argument: the file is a stranger's.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LATIN = ("latin1", "latin-1")
PLAIN_KEYS = (str, bytes, int, float, type(None))


class RefusedPickle(ValueError):
    """Report that a pickle is damaged, or uses operations that no checkpoint needs."""


@dataclass(frozen=True, eq=False, slots=True)
class Opaque:
    """Stand for a class, a function or an object of a kind that is not data; ``name`` is its name in the file."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Rebuilder:
    """Wrap a function of this module: the only thing that a pickle can call."""

    make: Callable[..., Any]


def hashable(key: Any) -> Any:
    """Return a key for a dictionary or a set: plain values and flat tuples of them as they are, all else as opaque.

    Nested tuples can take longer than a lifetime to hash.
    """
    if isinstance(key, PLAIN_KEYS) or (isinstance(key, tuple) and all(isinstance(item, PLAIN_KEYS) for item in key)):
        return key
    return key if isinstance(key, Opaque) else Opaque(type(key).__name__)


def _ordered(pairs: Any = (), *_: Any) -> Any:
    return OrderedDict((hashable(key), value) for key, value in pairs) if isinstance(pairs, list) else OrderedDict()


def _encoded(text: Any, encoding: Any = None) -> bytes:
    """Return bytes, which pickles before protocol 3 hold as text."""
    if not isinstance(text, str) or encoding not in LATIN:
        raise RefusedPickle("the pickle encodes something other than bytes")
    return text.encode("latin1")


def _bytearray(content: Any = b"", encoding: Any = None) -> bytearray:
    return bytearray(content if isinstance(content, bytes) else _encoded(content, encoding))


def _set(items: Any = (), *_: Any) -> set[Any]:
    return set(map(hashable, items)) if isinstance(items, list | tuple) else set()


def _frozenset(items: Any = (), *_: Any) -> frozenset[Any]:
    return frozenset(_set(items))


def _complex(real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    return complex(float(real), float(imaginary))


def _dict(*_: Any) -> dict[Any, Any]:
    return {}


def _plain_table() -> dict[tuple[str, str], Any]:
    found: dict[tuple[str, str], Callable[..., Any]] = {("_codecs", "encode"): _encoded}
    for builtins in ("builtins", "__builtin__"):
        made: dict[str, Callable[..., Any]] = {
            "set": _set,
            "frozenset": _frozenset,
            "bytearray": _bytearray,
            "complex": _complex,
        }
        found |= {(builtins, name): make for name, make in made.items()}
    found |= {("collections", "OrderedDict"): _ordered, ("collections", "defaultdict"): _dict}
    return {name: Rebuilder(make) for name, make in found.items()}


PLAIN_TABLE = _plain_table()
