"""List the files below a folder, without asking the disk for each."""

import os
import unicodedata
from collections.abc import Iterator


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


def without_repeats(path: str, folder: str) -> Iterator[str]:
    """Yield ``path`` without the beginning that repeats the end of ``folder``: ``train/a.png`` in ``images/train``."""
    parts, around = path.split("/"), folder.rstrip("/").split("/")
    for length in range(min(len(parts) - 1, len(around)), 0, -1):
        if parts[:length] == around[-length:]:
            yield "/".join(parts[length:])


def _likeness(name: str) -> str:
    return unicodedata.normalize("NFC", name).lower()
