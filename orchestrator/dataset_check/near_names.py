"""Find the file or folder that was probably meant by a path of a dataset that leads nowhere."""

import os
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path

from orchestrator.study.wording import closest
from trainers.schema.voc_layout import LISTS

LIKE = 0.8  # of difflib: letters that changed places; a list of captions is not meant by one of instances
MOST_ENTRIES = 10_000  # of a folder that are looked at


def did_you_mean_path(root: Path, path: str, used: Collection[str] = (), key: str = "") -> str:
    """Return `` (did you mean x?)`` for the existing path below ``root`` that is spelt most like a missing one.

    Paths that are ``used`` already, by another split, are never meant. ``key`` stands before the path.
    """
    found = _existing(root, path.split("/"), {root / one for one in used})
    return "" if found is None else f" (did you mean {key}{found.relative_to(root)}?)"


def names_of_lists(folder: Path, used: Collection[str]) -> list[str]:
    """Return the names of the lists of images in a VOC folder, without those that are used already."""
    found = (Path(name) for place in LISTS for name in _entries(folder / place))
    return [name.stem for name in found if name.suffix == ".txt" and name.stem not in used]


def _existing(folder: Path, parts: list[str], used: Collection[Path]) -> Path | None:
    """Follow a path and, where it leads nowhere, the entry that is spelt most like it."""
    for number, part in enumerate(parts):
        if not os.path.exists(folder / part):  # noqa: PTH110  a name may be too long
            last = number == len(parts) - 1
            names = [name for name in _entries(folder) if not (last and folder / name in used)]
            near = closest(part, names, LIKE)
            if near is None:
                return None
            part = near
        folder = folder / part
    return folder if folder not in used else None


def _entries(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in islice(entries, MOST_ENTRIES))
    except OSError:
        return
