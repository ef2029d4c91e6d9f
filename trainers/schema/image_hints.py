"""Look for an image that is missing, so that a message can name the place where it is."""

import os
import posixpath
from collections import deque
from collections.abc import Iterator, Sequence

from trainers.schema.tree import is_folder
from trainers.schema.voc_layout import SUFFIXES

MOST_FOLDERS, MOST_ENTRIES = 1000, 100_000  # that are looked at below a root


def elsewhere(root: str, path: str) -> str:
    """Return where a missing image may be, for the end of a message; nothing where no file below ``root`` is like it.

    That is a file of another suffix beside it, a folder that has its name, or a folder that has it with another suffix.
    """
    folder, name = posixpath.split(path)
    if found := _other_suffix(folder, name):
        return f" (the folder has {found!r})"
    folders = list(_folders(root))
    for at in folders:
        if os.path.isfile(f"{at}/{name}"):  # noqa: PTH113  of 1000 folders
            return f" (the folder {os.path.relpath(at, root)!r} has {name!r})"
    hits = ((at, found) for at in folders if (found := _other_suffix(at, name)))
    return next((f" (the folder {os.path.relpath(at, root)!r} has {found!r})" for at, found in hits), "")


def _other_suffix(folder: str, name: str) -> str | None:
    stem, given = posixpath.splitext(name)
    names = (stem + suffix for suffix in _suffixes() if suffix != given)
    return next((other for other in names if os.path.isfile(f"{folder}/{other}")), None)  # noqa: PTH113


def _suffixes() -> Sequence[str]:
    return (*SUFFIXES, *(suffix.upper() for suffix in SUFFIXES))


def _folders(root: str) -> Iterator[str]:
    """Yield the folders below a root, the near ones first, until there are enough."""
    waiting, left = deque([root]), MOST_ENTRIES
    for _ in range(MOST_FOLDERS):
        if not waiting:
            return
        yield (folder := waiting.popleft())
        inner, seen = _inner(folder, left)
        waiting += inner
        left -= seen


def _inner(folder: str, most: int) -> tuple[list[str], int]:
    """Return the folders among the first entries of a folder, and how many entries were looked at."""
    found, seen = [], 0
    try:
        with os.scandir(folder) as entries:
            for seen, entry in enumerate(entries, start=1):
                if seen > most:
                    break
                if is_folder(entry):
                    found.append(entry.path)
    except OSError:
        pass
    return sorted(found), seen
