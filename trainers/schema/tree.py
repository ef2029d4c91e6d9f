"""List the files below a folder, without asking the disk for each."""

import errno
import os
import unicodedata
from collections.abc import Iterator

from trainers.schema.user_file import is_kernel_device

MOST_ENTRIES = 10_000_000  # files and folders below a data set's root


class Tree:
    """List each folder below a root once, when it is first asked for. Paths are relative to the root, with ``/``."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.fspath(root)
        self._names: dict[str, frozenset[str]] = {}
        self._alike: dict[str, dict[str, list[str]]] = {}

    def has(self, path: str) -> bool:
        """Return whether exactly this file or folder exists."""
        folder, _, name = path.rpartition("/")
        return name in self.names(folder)

    def find(self, path: str) -> str | None:
        """Return the one file that ``path`` can mean, ``None`` where there is none or a choice.

        Names that differ in upper and lower case, or in how accents are stored (macOS takes letters apart), are alike.
        """
        found = ""
        for part in path.split("/"):
            known = part in self.names(found)
            alike = [part] if known else self._likenesses(found).get(_likeness(part), [])
            if len(alike) != 1:
                return None
            found = f"{found}/{alike[0]}" if found else alike[0]
        return found

    def names(self, folder: str) -> frozenset[str]:
        """Return the names in a folder, none where it cannot be read."""
        found = self._names.get(folder)
        if found is None:
            found = self._names[folder] = self._listed(folder)
        return found

    @property
    def listings(self) -> dict[str, frozenset[str]]:
        """Return the names in each folder that was asked for: no answer rests on anything else."""
        return dict(self._names)

    def _listed(self, folder: str) -> frozenset[str]:
        try:
            with os.scandir(f"{self._root}/{folder}") as entries:
                return frozenset(entry.name for entry in entries)
        except (OSError, ValueError):
            return frozenset()

    def _likenesses(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._alike:
            found: dict[str, list[str]] = {}
            for name in self.names(folder):
                found.setdefault(_likeness(name), []).append(name)
            self._alike[folder] = found
        return self._alike[folder]


def files_below(
    root: str | os.PathLike[str], most: int = MOST_ENTRIES, skip: tuple[str, ...] = ()
) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder at or below ``root`` with the names of its files, folders in order; links are followed.

    A folder that several links lead to is listed once, folders of the kernel never: a link to a folder above would
    otherwise have no end. Folders whose names start as ``skip`` says are left alone. A folder that cannot be read is left out. Raises ``OSError`` beyond ``most`` entries.
    """
    waiting, seen = [os.fspath(root)], set[tuple[int, int]]()
    while waiting:
        at = waiting.pop()
        if not _is_new(at, seen):
            continue
        folders, files = _divided(at)
        most -= len(folders) + len(files)
        if most < 0:
            raise OSError(errno.EFBIG, "holds too many files: name the data set's own folder", os.fspath(root))
        yield at, files
        waiting += (f"{at}/{name}" for name in sorted(folders, reverse=True) if not name.startswith(skip))


def _is_new(folder: str, seen: set[tuple[int, int]]) -> bool:
    """Return whether a folder has not been listed, and note it."""
    try:
        status = os.stat(folder)  # noqa: PTH116  of 100,000 folders
    except OSError:
        return False
    key = status.st_dev, status.st_ino
    if key in seen or is_kernel_device(status.st_dev):
        return False
    seen.add(key)
    return True


def _divided(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of the folders, and of everything else, in a folder."""
    folders, files = list[str](), list[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                (folders if is_folder(entry) else files).append(entry.name)
    except OSError:
        return [], []
    return folders, files


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or leads to one; a link to itself, or to too long a name, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def without_repeats(path: str, folder: str) -> Iterator[str]:
    """Yield ``path`` without the beginning that repeats the end of ``folder``: ``train/a.png`` in ``images/train``."""
    parts, around = path.split("/"), folder.rstrip("/").split("/")
    for length in range(min(len(parts) - 1, len(around)), 0, -1):
        if parts[:length] == around[-length:]:
            yield "/".join(parts[length:])


def _likeness(name: str) -> str:
    return unicodedata.normalize("NFC", name).lower()
