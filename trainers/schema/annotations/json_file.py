"""Read a JSON file as the training will, or say in a phrase why it cannot."""

import codecs
import json
from pathlib import Path
from typing import Any

from trainers.schema.annotations.numbers import shown
from trainers.schema.annotations.reason import reason
from trainers.schema.user_file import LARGEST_JSON, read_bytes

UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class JsonFileError(ValueError):
    """Report a file that is not JSON; the message is one phrase without the file's name."""


def read_json(path: Path, largest: int = LARGEST_JSON) -> Any:
    """Return the content of ``path``, in UTF-8 with or without a byte order mark; raises ``JsonFileError``.

    An object that has a key twice is refused unless both values are equal: parsers keep one of them in silence.
    """
    text = ""
    try:
        content = read_bytes(path, largest)
        if content.startswith(UTF_16):
            raise JsonFileError("is in UTF-16: save it as UTF-8")
        if not content or content.isspace():
            raise JsonFileError("is empty")
        text = content.decode("utf-8-sig")
        return json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except JsonFileError:
        raise
    except UnicodeDecodeError as error:
        raise JsonFileError(f"is not UTF-8: {error.reason} at byte {error.start}") from error
    except _LongNumber as error:
        where = _place(text, text.index(error.digits))
        raise JsonFileError(f"has a number of {len(error.digits)} digits: {where}") from None
    except RecursionError as error:
        raise JsonFileError("is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise JsonFileError(f"cannot be read as JSON: {_told(error)}") from error
    except (OSError, ValueError) as error:
        raise JsonFileError(f"cannot be read as JSON: {reason(error)}") from error


class _LongNumber(ValueError):
    """Report an integer of more digits than Python reads: that takes time in their square."""

    def __init__(self, digits: str) -> None:
        super().__init__()
        self.digits = digits


def _integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise _LongNumber(digits) from None


def _told(error: json.JSONDecodeError) -> str:
    """Return the mistake in a text, with its place; the parser says of a comma too many that it expects more."""
    last = error.pos - 1
    while last >= 0 and error.doc[last].isspace():
        last -= 1
    if last < 0 or error.doc[last] != "," or error.doc[error.pos : error.pos + 1] not in ("]", "}"):
        return str(error)
    return f"a comma with nothing behind it: {_place(error.doc, last)}"


def _place(text: str, position: int) -> str:
    """Return a position as the parser says it."""
    return f"line {text.count(chr(10), 0, position) + 1} column {position - text.rfind(chr(10), 0, position)} (char {position})"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _compare_repeated(pairs, found)
    return found


def _compare_repeated(pairs: list[tuple[str, Any]], found: dict[str, Any]) -> None:
    for key, value in pairs:
        if value != found[key]:
            at = f" with the id {shown(found['id'])}" if key != "id" and "id" in found else ""
            raise JsonFileError(f"has an object{at} with two values of {shown(key)}: keep one of them")
