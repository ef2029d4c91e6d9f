"""Represent a pickle's objects besides plain values: inert classes and functions, a few rebuilt containers.

Each rebuilder stands for a function that a file may name. It checks every argument: the file is a stranger's.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LATIN = ("latin1", "latin-1")
TEXT_KEYS = (str, bytes)  # their hashes are salted, so that nobody can make many that are equal
PLAIN_KEYS = (*TEXT_KEYS, float, type(None))
LARGEST_KEY = 2**64  # of larger numbers any amount can have one hash
LONGEST_KEY = 16  # items of a tuple
ENTRY = 250  # bytes of an entry of a dictionary or a set, at most


class RefusedPickle(ValueError):
    """Report that a pickle is damaged, or uses operations that no checkpoint needs."""


@dataclass(frozen=True, eq=False, slots=True)
class Opaque:
    """Stand for a class, a function or an object of a kind that is not data; ``name`` is its name in the file."""

    name: str


@dataclass(frozen=True, eq=False, slots=True)
class Rebuilder:
    """Wrap a function of this module: the only thing that a pickle can call. ``cost`` is in bytes of memory."""

    make: Callable[..., Any]
    cost: int = 64

    def cost_of(self, arguments: tuple[Any, ...]) -> int:
        """Return the bytes of memory of a call at most: containers and bytes are copied."""
        return self.cost + sum(map(_copied, arguments))


def _copied(argument: Any) -> int:
    if isinstance(argument, str | bytes | bytearray):
        return len(argument)
    return ENTRY * len(argument) if isinstance(argument, list | tuple | set | dict) else 0


def hashable(key: Any) -> Any:
    """Return a key for a dictionary or a set: plain values and short flat tuples as they are, all else as opaque.

    Nested tuples can take longer than a lifetime to hash, and many keys of one hash the square of their number to
    store: a tuple begins with text, whose hash nobody knows.
    """
    if _is_plain(key) or (isinstance(key, tuple) and _is_plain_tuple(key)):
        return key
    return key if isinstance(key, Opaque) else Opaque(type(key).__name__)


def _is_plain(key: Any) -> bool:
    return isinstance(key, PLAIN_KEYS) or (isinstance(key, int) and abs(key) < LARGEST_KEY)


def _is_plain_tuple(key: tuple[Any, ...]) -> bool:
    return 0 < len(key) <= LONGEST_KEY and isinstance(key[0], TEXT_KEYS) and all(map(_is_plain, key))


def _ordered(pairs: Any = (), *_: Any) -> Any:
    return OrderedDict((hashable(key), value) for key, value in pairs) if isinstance(pairs, list) else OrderedDict()


def _counter(counts: Any = (), *_: Any) -> Any:
    return Counter(counts) if isinstance(counts, dict) else Counter()


def _encoded(text: Any, encoding: Any = None) -> bytes:
    """Return bytes, which pickles before protocol 3 hold as text."""
    if not isinstance(text, str) or encoding not in LATIN:
        raise RefusedPickle("the pickle encodes something other than bytes")
    return text.encode("latin1")


def _bytes(content: Any = b"", *_: Any) -> bytes:
    """Return bytes; pickles before protocol 3 call their class for empty ones."""
    return content if isinstance(content, bytes) else b""


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
            "bytes": _bytes,
            "bytearray": _bytearray,
            "complex": _complex,
        }
        found |= {(builtins, name): make for name, make in made.items()}
    found |= {("collections", "OrderedDict"): _ordered, ("collections", "defaultdict"): _dict}
    found |= {("collections", "Counter"): _counter}
    return {name: Rebuilder(make) for name, make in found.items()}


PLAIN_TABLE = _plain_table()
