"""List the files of a folder once, by kind, within bounds."""

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.core.errors import UserError
from trainers.schema.tree import files_below
from trainers.schema.voc_layout import SUFFIXES

MOST_FILES = 1_000_000
HIDDEN = (".", "__MACOSX")


@dataclass
class Folder:
    """Hold what lies below ``root``: names by folder (paths below the root, ``.`` for itself), by kind of file."""

    root: Path
    images: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    json: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    xml: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    text: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    yaml: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def image_count(self) -> int:
        """Return how many images there are."""
        return sum(map(len, self.images.values()))


def look_into(root: Path) -> Folder:
    """List what lies below ``root``; hidden folders are left alone. Raises ``UserError``."""
    if not os.path.isdir(root):  # noqa: PTH112
        raise UserError(
            f"{root} is a file: name the folder that it lies in"
            if os.path.exists(root)  # noqa: PTH110
            else f"no such folder: {root}"
        )
    found = Folder(root)
    kinds = {".json": found.json, ".xml": found.xml, ".txt": found.text, ".yaml": found.yaml, ".yml": found.yaml}
    kinds |= dict.fromkeys(SUFFIXES, found.images)
    for count, (folder, name) in enumerate(_files(root)):
        if count == MOST_FILES:
            raise UserError(f"{root}: holds more than {MOST_FILES} files; name the dataset's own folder")
        kind = kinds.get(os.path.splitext(name)[1].lower())  # noqa: PTH122  of a million files
        if kind is not None:
            kind[folder].append(name)
    return found


def _files(root: Path) -> Iterator[tuple[str, str]]:
    for at, names in files_below(root, skip=HIDDEN):
        folder = Path(os.path.relpath(at, root)).as_posix()
        yield from ((folder, name) for name in sorted(names) if not name.startswith("."))
