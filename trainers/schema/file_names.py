"""Decide which names a file below a folder may have: a dataset may come from a stranger, and from any system."""

import unicodedata
from pathlib import PurePosixPath

LONGEST_PART = 255  # bytes of a file's name, Linux's own limit
# Control characters, halves of characters, and line ends: they act on terminals and split lists. Everything else that
# people write is fine, however rare: narrow spaces in the names of macOS's screenshots, joined emoji.
FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
DRIVE = "abcdefghijklmnopqrstuvwxyz"


class NameRefused(ValueError):
    """Report a name that no file of a dataset has; the message is a phrase that follows the name."""


def require_plain(name: str) -> None:
    """Refuse names that no file should have, wherever it lies; raises ``NameRefused``."""
    if not name.isprintable() and any(unicodedata.category(character) in FORBIDDEN for character in name):
        raise NameRefused("holds control characters")
    if 4 * len(name) <= LONGEST_PART:  # a character has four bytes at most
        return
    longest = max((len(part.encode()) for part in name.split("/")), default=0)
    if longest > LONGEST_PART:
        raise NameRefused(f"is a name that no file can have: a part is longer than {LONGEST_PART} bytes")


def require_relative(name: str) -> None:
    """Refuse names that belong to one machine; raises ``NameRefused`` with a guess at their origin."""
    if "://" in name[:20] or name.startswith("file:"):
        raise NameRefused("is a URL: fetch the images and write their names below the image folder")
    if name[1:2] == ":" and name[:1].lower() in DRIVE and name[2:3] in ("\\", "/"):
        raise NameRefused("is a path of a Windows machine: leave out everything up to the image folder")
    if name.startswith(("/", "\\\\", "~/")):
        raise NameRefused("is the path on one machine: leave out everything up to the image folder")


def require_below(name: str) -> str:
    """Return a name that stays below the folder it starts at; raises ``NameRefused`` for any other."""
    try:
        require_plain(name)
        require_relative(name)
    except NameRefused as error:
        raise NameRefused(f"must stay below root, got {name[:60]!a}, which {error}") from error
    if ".." in name and ".." in PurePosixPath(name).parts:
        raise NameRefused(f"must stay below root, got {name[:60]!a}")
    return name
