"""Recognise labels in YOLO's text format, with or without a data file."""

import os
import posixpath
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.first_study.files import Folder
from orchestrator.first_study.found import Found, one_or_all
from orchestrator.first_study.split_names import by_split, in_order
from trainers.schema.annotations import SplitName
from trainers.schema.annotations.yolo_names import NamesError, read_data
from trainers.schema.dataset import YoloPart
from trainers.schema.user_file import LARGEST_LABELS, read_text
from trainers.schema.yolo_layout import YoloFiles

LINE = re.compile(r"\d+(?:\s+-?\d*\.?\d+(?:[eE][-+]?\d+)?){4,}")
LOOKED_AT = 20  # images of a folder
CLASS_LISTS = frozenset({"classes.txt", "labels.txt", "predefined_classes.txt"})


def find_yolo(folder: Folder) -> Found | None:
    """Return the dataset that label files describe, ``None`` where none is in YOLO's format."""
    places = [at for at in folder.images if _has_labels(folder, at)]
    if not places:
        return None
    data = _data_file(folder)
    splits = _named(folder, data) or {
        split: one_or_all([{"images": at} for at in _outermost(found)])
        for split, found in (in_order(by_split(places)) or {"train": places}).items()
    }
    what = f"YOLO's text labels ({', '.join([data] if data else places)})"
    return Found("yolo", what, dict(splits), {"data": data} if data else {})


def _outermost(places: Sequence[str]) -> list[str]:
    """Return the folders that lie in no other one of them: a folder's images are all below it."""
    return [
        at for at in places if not any(at != other and (other == "." or at.startswith(f"{other}/")) for other in places)
    ]


def _has_labels(folder: Folder, at: str) -> bool:
    files = YoloFiles(folder.root, YoloPart(images=at))
    names = [posixpath.normpath(f"{at}/{name}") for name in folder.images[at][:LOOKED_AT]]
    found = (files.label_file(name) for name in names)
    return any(_is_label(folder.root / path) for path in found if path is not None)


def _is_label(path: Path) -> bool:
    try:
        lines = [line.strip() for line in read_text(path, LARGEST_LABELS).splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError):
        return False
    return bool(lines) and all(LINE.fullmatch(line) for line in lines)


def _data_file(folder: Folder) -> str | None:
    """Return the file with class names that is nearest to the root: a YAML file, else a list such as ``classes.txt``."""
    paths = [posixpath.normpath(f"{at}/{name}") for at, names in folder.yaml.items() for name in names]
    lists = [
        posixpath.normpath(f"{at}/{name}") for at, names in folder.text.items() for name in names if name in CLASS_LISTS
    ]
    named = [path for path in paths if _has_names(folder, path)]
    return next(iter([*sorted(named, key=_depth), *sorted(lists, key=_depth)]), None)


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _has_names(folder: Folder, path: str) -> bool:
    try:
        return "names" in read_data(folder.root / path)
    except NamesError:
        return False


def _named(folder: Folder, data: str | None) -> dict[SplitName, object]:
    """Return the splits that a data file names and that are here; nothing where it does not name training data."""
    if data is None or data.endswith(".txt"):
        return {}
    content = read_data(folder.root / data)
    found: dict[SplitName, object] = {}
    for split in ("train", "val", "test"):
        parts = [{"images": place} for place in _places(folder, data, content.get(split), content.get("path"))]
        if parts:
            found[split] = one_or_all(parts)
    if "val" in found and found["val"] == found.get("train"):
        del found["val"]  # as tools write for data that nobody has divided: the study divides it
    return found if "train" in found else {}


def _places(folder: Folder, data: str, given: object, base: object) -> Iterator[str]:
    """Yield the folders or lists below the root that an entry of a data file means.

    Entries are often relative to a folder of another machine, and Roboflow's begin with ``../``: the longest end of an
    entry that exists is meant.
    """
    for entry in given if isinstance(given, list) else [given]:
        if isinstance(entry, str):
            parts = [part for part in entry.replace("\\", "/").split("/") if part not in ("", ".", "..")]
            tops = dict.fromkeys([posixpath.dirname(data) or ".", *([base] if isinstance(base, str) else []), "."])
            ends = ("/".join(parts[place:]) for place in range(len(parts)))
            options = (
                posixpath.normpath(f"{top}/{end}") for end in ends for top in tops if not top.startswith(("/", ".."))
            )
            found = next((path for path in options if os.path.exists(folder.root / path)), None)  # noqa: PTH110
            if found is not None:
                yield found
