"""Recognise annotations in COCO's JSON format."""

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.first_study.files import Folder
from orchestrator.first_study.found import Found, one_or_all
from orchestrator.first_study.split_names import by_split, in_order, split_of
from trainers.schema.annotations.json_file import JsonFileError, read_json
from trainers.schema.image_names import locate

PARTS = ("images", "annotations", "categories")
LOOKED_AT = 50  # images by which the folder of a file is told
LARGEST = 2**30  # bytes of a file that is looked at


def find_coco(folder: Folder) -> Found | None:
    """Return the dataset that JSON files describe, ``None`` where none is in COCO's format."""
    files = {path: content for path in _json_files(folder) if (content := _content(folder.root / path)) is not None}
    if not files:
        return None
    named = in_order(by_split(files))
    chosen = named or {"train": list(files)}
    splits = {
        split: one_or_all([_part(folder, path, files[path]) for path in paths]) for split, paths in chosen.items()
    }
    return Found("coco", f"COCO JSON ({', '.join(path for paths in chosen.values() for path in paths)})", splits)


def _json_files(folder: Folder) -> Iterator[str]:
    for at, names in folder.json.items():
        yield from (posixpath.normpath(f"{at}/{name}") for name in names)


def _content(path: Path) -> dict[str, Any] | None:
    """Return a file's content if it has boxes in COCO's format."""
    try:
        content = read_json(path, LARGEST)
    except JsonFileError:
        return None
    if not isinstance(content, dict) or not all(isinstance(content.get(part), list) for part in PARTS):
        return None
    boxed = any(isinstance(entry, dict) and "bbox" in entry for entry in content["annotations"])
    return content if boxed or not content["annotations"] else None


def _part(folder: Folder, path: str, content: dict[str, Any]) -> dict[str, str]:
    names = [entry.get("file_name") for entry in content["images"][:LOOKED_AT] if isinstance(entry, dict)]
    return {"annotations": path, "images": _image_folder(folder, path, [name for name in names if name])}


def _image_folder(folder: Folder, path: str, names: list[str]) -> str:
    """Return the folder below which most of a file's images are.

    Splits often repeat file names. Of several folders, those whose path speaks of the file's split come first, those of
    another split last, and of equals the nearest to the file.
    """
    beside = posixpath.dirname(path) or "."
    around = {*folder.images, *(above for at in folder.images for above in _above(at)), beside}
    places = sorted(around, key=lambda at: (_strangeness(at, path), at != beside, _distance(at, beside)))
    counts = {at: sum(found.there for found in locate(str(folder.root), at, names)) for at in places}
    return max(counts, key=lambda at: counts[at])


def _above(at: str) -> Iterator[str]:
    """Yield the folders that hold a folder, the root included."""
    while at != ".":
        at = posixpath.dirname(at) or "."
        yield at


def _strangeness(at: str, path: str) -> int:
    """Return 0 for a folder that speaks of the split of the file ``path``, 1 for one of no split, 2 for another split's."""
    own = split_of(at)
    return 1 if own is None else 0 if own == split_of(path) else 2


def _distance(one: str, other: str) -> tuple[int, str]:
    return posixpath.relpath(one, other).count("/"), one
