"""Decide how wide a stream's lines may be and whether they have colours: every command asks here."""

import os
import re
from typing import TextIO

NARROWEST = 20  # columns: some terminals report a size of 0
USUAL = 80
STATES = {
    "finished": "32", "succeeded": "32", "ok": "32",
    "running": "36", "queued": "36",
    "stopped": "33", "unfinished": "33", "paused": "33", "warn": "33", "warning": "33", "missing": "33",
    "failed": "31", "fail": "31", "lost": "31", "error": "31",
}  # fmt: skip
WORD = re.compile(rf"(?<![\w.-])({'|'.join(sorted(STATES, key=len, reverse=True))})(?![\w-])")


def width_of(stream: TextIO) -> int | None:
    """Return the number of columns of the terminal behind ``stream``, ``None`` where there is no terminal.

    A pipe has no width: nothing is folded or left out there. ``COLUMNS`` overrides the size of a terminal.
    """
    if not stream.isatty():
        return None
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) >= NARROWEST else _size(stream)


def has_colours(stream: TextIO) -> bool:
    """Return whether colours may be written to ``stream``, by the rules of the progress bars' library.

    ``NO_COLOR`` and a dumb terminal turn them off, ``FORCE_COLOR`` turns them on where there is no terminal.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    return bool(forced) if forced is not None else stream.isatty()


def painted(text: str, stream: TextIO) -> str:
    """Return ``text`` with its states (finished, running, failed, ...) in colours, if ``stream`` takes colours."""
    return WORD.sub(lambda found: _code(found[0]), text) if has_colours(stream) else text


def painted_as(state: str, text: str, stream: TextIO) -> str:
    """Return ``text`` in the colour of ``state``, if ``stream`` takes colours."""
    return f"\x1b[{STATES[state]}m{text}\x1b[0m" if text and has_colours(stream) else text


def _code(word: str) -> str:
    return f"\x1b[{STATES[word]}m{word}\x1b[0m"


def _size(stream: TextIO) -> int:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return USUAL
    return columns if columns >= NARROWEST else USUAL
