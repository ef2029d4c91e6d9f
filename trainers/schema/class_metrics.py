"""Turn class names into metric names and back. Imports nothing heavy.

A class's AP is recorded as ``class_AP/<name>``. MLflow refuses some characters and some paths in a metric's name, so these
are written as ``_xHHHH_``, the character's code in hexadecimal, as spreadsheets do. Two classes never share a metric.
"""

import hashlib
import re
import sys
from collections.abc import Iterable

PREFIX = "class_AP/"
LONGEST = 250 - len(f"best/{PREFIX}")  # MLflow takes 250 characters; the best epoch's value is best/<metric>
EMPTY = "_x000000_"  # NUL is _x0000_
UNFIT = re.compile(
    r"[^\w./ :-]"  # refused by MLflow
    r"|_(?=x[0-9A-F]{4,16}(?:[_./]|[^\w./ :-]))"  # would be read as an escape
    r"|(?<![^/])/|/\Z"  # an empty part of a path
    r"|(?<![^/])\.(?=\.?(?![^/]))"  # a part of a path that is . or ..
)
MARK = re.compile(r"_x(?:([0-9A-F]{16})|([0-9A-F]{4,6}))_")  # the digest of a name that was cut, or one character


def class_metric(name: str) -> str:
    """Return the metric that holds the AP of class ``name``: a valid name in MLflow, and the class's alone."""
    return PREFIX + _encoded(name)


def class_of_metric(metric: str, classes: Iterable[str] = ()) -> str:
    """Return the name of the class whose AP ``metric`` holds.

    A name that was too long for a metric is found among ``classes``; without them it is shown cut.
    """
    text = metric.removeprefix(PREFIX)
    if text == EMPTY:
        return ""
    shown = MARK.sub(_meant, text)
    was_cut = any(mark[1] for mark in MARK.finditer(text))
    return next((name for name in classes if _encoded(name) == text), shown) if was_cut else shown


def _encoded(name: str) -> str:
    encoded = UNFIT.sub(_escape, name) or EMPTY
    return encoded if len(encoded.encode()) <= LONGEST else _cut(name)


def _cut(name: str) -> str:
    """Return as many characters as fit, and a digest of the whole name."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16].upper()
    # the mark's first character goes through the pattern too: it may end something that would be read as an escape
    cuts = (f"{UNFIT.sub(_escape, f'{name[:length]}_')}x{digest}_" for length in range(LONGEST, -1, -1))
    return next(cut for cut in cuts if len(cut.encode()) <= LONGEST)


def _escape(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _meant(mark: re.Match[str]) -> str:
    if mark[1]:
        return f"...{mark[1].lower()}"
    code = int(mark[2], 16)
    no_text = 0xD800 <= code <= 0xDFFF or code > sys.maxunicode  # lone surrogates: no page and no file can hold them
    return mark[0] if no_text else chr(code)
