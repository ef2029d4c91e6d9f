"""Read a JSON file of annotations piece by piece, so that a large one takes little memory.

Outlines of objects, nine tenths of MS COCO's bytes, are left out before they become objects. The pieces are cut at places that
look like the end of an entry; a piece that was cut elsewhere is no list of whole entries, which its decoding shows. Whatever
is out of the ordinary raises ``NotPlain``: ``json_file.read_json`` then reads the file as a whole, or says what is wrong.

Who needs a piece once and reduces it at once, as ``reduced_lists`` does, has it decoded with its outlines: that takes less time
than to leave them out.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

from pydantic_core import from_json

from trainers.schema.user_file import LARGEST_JSON, open_file

BLOCK = 1 << 18  # bytes that are read at once: their objects stay in the processor's cache
LISTS = frozenset({"images", "annotations", "categories"})
BOM = b"\xef\xbb\xbf"
SPACE = rb"[ \t\n\r]*+"
# As the class of letters says, a match may still be no list of numbers: ``from_json`` decides.
OUTLINE: Final = re.compile(rb'("segmentation"%b:%b)(\[[-+0-9.eE, \t\n\r\[\]]*\])' % (SPACE, SPACE))
KEY: Final = re.compile(rb'%b"([^"\\]*)"%b:%b' % (SPACE, SPACE, SPACE))
BETWEEN: Final = re.compile(rb"\}%b,%b(?=\{)" % (SPACE, SPACE))
END: Final = re.compile(rb"\}(?=%b\])" % SPACE)
NEXT: Final = re.compile(rb"%b(.)%b" % (SPACE, SPACE), re.DOTALL)
SPACED = (b" :", b"\t:", b"\n:", b"\r:")
MOST_KEYS = 100  # of the file's object; each costs a copy of the text that has been read
TAIL = 1 << 16  # bytes in which the last end of an entry is looked for first


class NotPlain(Exception):
    """Report a file that has to be read as a whole."""


class Pieces:
    """Hold a list of a file as pieces of its text; iterating decodes one after the other, and may raise ``NotPlain``."""

    def __init__(self, texts: list[bytes]) -> None:
        self._texts = texts

    def __iter__(self) -> Iterator[list[Any]]:
        return map(_decoded_quickly, self._texts)

    def whole(self) -> list[Any]:
        """Return all entries."""
        return [entry for piece in self for entry in piece]


def read_pieces(path: Path) -> dict[str, Any]:
    """Return the lists of a COCO file, ``annotations`` as ``Pieces`` and without outlines, and none of its other content.

    Raises ``NotPlain`` for a file that is missing, damaged or out of the ordinary.
    """
    found = _content(path, lambda _, text: OUTLINE.sub(_without, text))
    return {key: _piecewise(key, texts) for key, texts in found.items()}


def reduced_lists(path: Path, reduce: Callable[[str, list[Any]], Any]) -> dict[str, list[Any] | None]:
    """Return for each list of a COCO file all that ``reduce(key, entries)`` makes of its pieces, ``None`` for other content.

    Raises ``NotPlain`` as ``read_pieces`` does, and passes on that of ``reduce``.
    """
    return _content(path, lambda key, text: reduce(key, _decoded_quickly(text)))


def _content(path: Path, take: "Take") -> dict[str, list[Any] | None]:
    try:
        with open_file(path, LARGEST_JSON) as stream:
            found = _Scanner(stream, take).content()
    except (OSError, ValueError, RecursionError) as error:
        raise NotPlain from error
    if any(found.get(key) is None for key in LISTS):  # one may have been taken for a part of another
        raise NotPlain
    return found


def _piecewise(key: str, texts: list[bytes] | None) -> Any:
    if texts is None:
        return None
    return Pieces(texts) if key == "annotations" else Pieces(texts).whole()


Take = Callable[[str, bytes], Any]  # what is kept of a piece of a list, by the list's key


class _Scanner:
    """Take a file apart; ``_text`` is read and not yet taken."""

    def __init__(self, stream: BufferedReader, take: Take) -> None:
        self._stream, self._keep = stream, take
        self._text = stream.read(max(BLOCK, len(BOM))).removeprefix(BOM)

    def content(self) -> dict[str, list[Any] | None]:
        self._take(b"{")
        found: dict[str, list[Any] | None] = {}
        while True:
            key = self._key()
            if key in found or len(found) == MOST_KEYS:
                raise NotPlain
            if key in LISTS:
                found[key] = self._list(key)
            else:
                found[key] = None
                self._pass_over()
            if self._next() == b"}":
                break
            self._take(b",")
        self._take(b"}")
        if self._text or self._more():
            raise NotPlain
        return found

    def _more(self) -> bool:
        """Read on; return whether there was more."""
        block = self._stream.read(max(BLOCK, len(self._text)))
        self._text += block
        return bool(block)

    def _next(self) -> bytes:
        """Return the next character that is no space."""
        while not (match := NEXT.match(self._text)):
            if not self._more():
                raise NotPlain
        return match[1]

    def _take(self, wanted: bytes) -> None:
        if self._next() != wanted:
            raise NotPlain
        match = NEXT.match(self._text)
        self._text = self._text[match.end() if match else 0 :]

    def _key(self) -> str:
        while not (match := KEY.match(self._text)) or match.end() == len(self._text):
            if not self._more():
                raise NotPlain
        self._text = self._text[match.end() :]
        return match[1].decode()

    def _pass_over(self) -> None:
        """Leave out a value that nobody needs."""
        while (length := _length(self._text)) is None or length == len(self._text):
            if not self._more():
                raise NotPlain
        self._text = self._text[length:]

    def _list(self, key: str) -> list[Any]:
        self._take(b"[")
        if self._next() == b"]":
            self._take(b"]")
            return []
        kept = []
        while True:
            stop, go_on = self._cut()
            if end := END.search(self._text, 0, stop):
                break
            if stop == go_on:
                raise NotPlain
            kept.append(self._keep(key, self._text[:stop]))
            self._text = self._text[go_on:]
        kept.append(self._keep(key, self._text[: end.end()]))
        self._text = self._text[end.end() :]
        self._take(b"]")
        return kept

    def _cut(self) -> tuple[int, int]:
        """Return where the last whole entry ends and the next one begins; the end of the text, twice, if none begins."""
        while (cut := _last_cut(self._text)) is None:
            if not self._more():
                return len(self._text), len(self._text)
        return cut


def _without(found: re.Match[bytes]) -> bytes:
    """Return an outline's key with a 0 in the place of the outline; text that is none stays."""
    try:
        from_json(found[2])
    except ValueError:
        return found[0]
    return found[1] + b"0"


def _last_cut(text: bytes) -> tuple[int, int] | None:
    """Return the end of an entry and the beginning of the next one, for the last pair that is there."""
    for start in (max(0, len(text) - TAIL), 0):
        if found := deque(BETWEEN.finditer(text, start), maxlen=1):
            return found[0].start() + 1, found[0].end()
    return None


def _length(text: bytes) -> int | None:
    """Return how many bytes the value at the beginning takes, ``None`` where it is not whole."""
    try:
        decoded = text.decode()
        end = DECODER.raw_decode(decoded)[1]
    except ValueError:
        return None
    return len(decoded[:end].encode())


def _decoded_quickly(text: bytes) -> list[Any]:
    """Return a piece's entries; those that the quick parser cannot vouch for are decoded by the other."""
    try:
        found: list[Any] = from_json(b"[%b]" % text)
        if _has_no_key_twice(text, found):
            return found
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
    return _decoded(text)


def _has_no_key_twice(text: bytes, entries: list[Any]) -> bool:
    """Return whether it is sure that no object has a key twice, of which ``from_json`` keeps the last in silence.

    Each key has a colon, or with no space between the two a quote and a colon; texts may hold more of them.
    """
    pairs, colons = sum(map(len, entries)), text.count(b":")
    if colons == pairs or colons == pairs + sum(map(_pairs_of_outline, entries)):
        return True
    return text.count(b'":') == pairs and not any(spaced in text for spaced in SPACED)


def _pairs_of_outline(entry: dict[str, Any]) -> int:
    """Return how many keys an outline has that is given as an object: a crowd's."""
    found = entry.get("segmentation")
    return len(found) if type(found) is dict else 0


def _decoded(text: bytes) -> list[Any]:
    try:
        found = DECODER.decode(f"[{text.decode()}]")
    except (ValueError, RecursionError) as error:
        raise NotPlain from error
    return found  # type: ignore[no-any-return]  # it begins with a bracket


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise NotPlain
    return found


DECODER: Final = json.JSONDecoder(object_pairs_hook=_object)
