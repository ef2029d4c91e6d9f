"""Parse JSON that somebody else may have written: within limits, and every refusal is a ``ValueError``.

All JSON that is read goes through ``parse_json``; ``tests/unit/test_foreign_json.py`` holds that.
"""

import json
import re
from collections import Counter
from typing import Any

from pydantic_core import from_json

LARGEST = 64 << 20  # bytes
MOST_DIGITS = 300  # of a number: with 9 more, arithmetic raises OverflowError
MOST_VALUES = 2_000_000  # a list takes 30 times as many bytes in memory as in the text
LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (MOST_DIGITS + 1))
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # one that is not closed reaches to the end: linear time
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ForeignJsonError(ValueError):
    """Report text that is not JSON or exceeds a limit; the message is one phrase without the text."""


def parse_json(
    text: str | bytes,
    *,
    largest: int = LARGEST,
    most_values: int = MOST_VALUES,
    constants: bool = True,
    equal_keys: bool = True,
) -> Any:
    """Return the value that ``text`` (UTF-8) describes; raises ``ForeignJsonError`` for everything else.

    The limits: ``largest`` bytes, ``most_values`` values, 200 levels (which the parser sets), numbers of 300 digits. Without ``constants``,
    ``NaN`` and ``Infinity``, which JSON lacks, are refused. A lone surrogate is refused; of equal keys the last counts, and
    without ``equal_keys`` they are refused, too.
    """
    content = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    content = content.removeprefix(BYTE_ORDER_MARK)
    if len(content) > largest:
        raise ForeignJsonError(f"has {len(content)} bytes, more than {largest}")
    if _values(content) > most_values and _values(STRING.sub(b"", content)) > most_values:
        raise ForeignJsonError(f"has more than {most_values} values")
    if LONG_NUMBER.search(content) and LONG_NUMBER.search(STRING.sub(b"", content)):
        raise ForeignJsonError(f"has a number of more than {MOST_DIGITS} digits")
    try:
        found = from_json(content, allow_inf_nan=constants)
    except ValueError as error:
        raise ForeignJsonError(f"is not JSON that is read here: {error}") from error
    if not equal_keys:
        json.loads(content, object_pairs_hook=_require_different)
    return found


def _require_different(pairs: list[tuple[str, Any]]) -> None:
    """Raise ``ForeignJsonError`` where a mapping has a key twice."""
    key, count = next(iter(Counter(key for key, _ in pairs).most_common(1)), ("", 0))
    if count > 1:
        raise ForeignJsonError(f"has the key {key[:40]!r} twice in a mapping")


def _values(content: bytes) -> int:
    """Return no less than the number of values, and exactly the separators where the text has no strings."""
    return sum(map(content.count, (b",", b"[", b"{")))
