"""Read a split from a COCO annotation file, noting whatever is wrong in it."""

import os
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

from orchestrator.data_check.json_file import JsonFileError, read_json
from orchestrator.data_check.ledger import Ledger
from orchestrator.data_check.numbers import finite, number, shown
from orchestrator.data_check.split import Box, Corners, Image, Size, Split
from trainers.spec import CocoDataset, class_names

LISTS = ("images", "annotations", "categories")


def read_coco(dataset: CocoDataset, name: str, ledger: Ledger) -> Split:
    """Return the split ``name`` (``train`` or ``val``) as far as it can be read."""
    files = dataset.train if name == "train" else dataset.val
    path = Path(dataset.root) / files.annotations
    try:
        content = read_json(path)
    except JsonFileError as error:
        ledger.error("unreadable annotation files", str(path), str(error))
        return Split(name)
    return _Reader(path, Path(dataset.root), files.images, class_names(dataset), ledger).read(content, name)


class _Reader:
    """Turn a file's content into a split."""

    def __init__(self, path: Path, root: Path, images: str, classes: tuple[str, ...], ledger: Ledger) -> None:
        self._path, self._root, self._folder = path, root, root / images
        self._classes, self._ledger = classes, ledger

    def read(self, content: Any, name: str) -> Split:
        split = Split(name)
        if not isinstance(content, dict):
            self._error("unreadable annotation files", "", f"holds {shown(content)} instead of an object")
            return split
        lists = {key: self._list(content, key) for key in LISTS}
        names = self._categories(lists["categories"])
        for key, entry in self._entries(lists["images"], "image"):
            self._image(split, key, entry)
        for key, entry in self._entries(lists["annotations"], "annotation"):
            self._annotation(split, names, key, entry)
        return split

    def _list(self, content: dict[str, Any], key: str) -> list[Any]:
        found = content.get(key)
        if isinstance(found, list):
            return found
        self._error(
            "unreadable annotation files", "", f"has no list of {key}" if found is None else f"{key} is no list"
        )
        return []

    def _entries(self, entries: list[Any], what: str) -> Iterator[tuple[Hashable, dict[str, Any]]]:
        """Yield id and content of the entries that are objects with an id, each id once."""
        seen: set[Hashable] = set()
        for position, entry in enumerate(entries):
            key = entry.get("id") if isinstance(entry, dict) else None
            if isinstance(key, bool) or not isinstance(key, int | str):
                message = "has no id" if isinstance(entry, dict) and key is None else f"is wrong: {shown(key or entry)}"
                self._error(f"{what}s without id", f"{what} at position {position}", message)
            elif key in seen:
                self._error(f"duplicate {what} ids", f"{what} {shown(key)}", "has the id of an earlier one")
            else:
                seen.add(key)
                yield key, entry

    def _categories(self, entries: list[Any]) -> dict[Hashable, str]:
        names = {key: entry.get("name") for key, entry in self._entries(entries, "category")}
        for key, name in names.items():
            if not isinstance(name, str):
                self._error("categories without name", f"category {shown(key)}", f"has the name {shown(name)}")
        texts = {key: name for key, name in names.items() if isinstance(name, str)}
        self._compare(list(texts.values()))
        return texts

    def _compare(self, found: list[str]) -> None:
        """Compare the file's classes with the study's: labels are numbered in the file's order."""
        absent = [name for name in self._classes if name not in found]
        for name in absent:
            self._error("absent classes", "categories", f"the study's class {name!r} is not among them")
        if not absent and tuple(name for name in found if name in self._classes) != self._classes:
            self._error(
                "classes in another order",
                "categories",
                f"the study has {shown(self._classes)}, the file {shown(found)}",
            )

    def _image(self, split: Split, key: Hashable, entry: dict[str, Any]) -> None:
        where = f"image {shown(key)}"
        name = entry.get("file_name")
        if not isinstance(name, str) or not name or "\0" in name:
            self._error("images without file name", where, f"has the file_name {shown(name)}")
            return
        if not self._is_below(name):
            self._error("images outside of the root", where, f"has the file_name {shown(name)}, which training refuses")
            return
        split.images[key] = Image(self._folder / name, self._size(entry, where), f"{self._path}: {where}")

    def _is_below(self, name: str) -> bool:
        """Tell whether a file is below the dataset's root: the annotations may be a stranger's."""
        path = os.path.normpath(self._folder / name)
        return path.startswith(f"{os.path.normpath(self._root)}{os.sep}") and name.isprintable()

    def _size(self, entry: dict[str, Any], where: str) -> Size | None:
        width, height = (finite(entry.get(side)) for side in ("width", "height"))
        if width is None or height is None or width <= 0 or height <= 0:
            given = f"{shown(entry.get('width'))} x {shown(entry.get('height'))}"
            self._error("images without size", where, f"has the size {given}")
            return None
        return width, height

    def _annotation(self, split: Split, names: dict[Hashable, str], key: Hashable, entry: dict[str, Any]) -> None:
        where = f"annotation {shown(key)}"
        image = self._known(entry, "image_id", split.images, "annotations of unknown images", where)
        category = self._known(entry, "category_id", names, "annotations of unknown categories", where)
        corners = self._corners(entry, where)
        self._statistics(entry, where, evaluated=split.name == "val")
        if image is None or category is None or corners is None:
            return
        if names[category] in self._classes:
            crowd = entry.get("iscrowd") in (1, True)
            split.boxes.append(Box(image, names[category], corners, crowd, f"{self._path}: {where}"))
        else:
            split.other_boxes += 1

    def _known(
        self, entry: dict[str, Any], name: str, among: dict[Hashable, Any], kind: str, where: str
    ) -> Hashable | None:
        value = entry.get(name)
        if isinstance(value, int | str) and value in among:
            return value
        self._error(kind, where, f"has the {name} {shown(value)}, which does not exist")
        return None

    def _corners(self, entry: dict[str, Any], where: str) -> Corners | None:
        box = entry.get("bbox")
        values = [number(value) for value in box] if isinstance(box, list) else []
        if len(values) != 4 or None in values:
            self._error("annotations without box", where, f"has the bbox {shown(box)} instead of four numbers")
            return None
        x, y, width, height = (value for value in values if value is not None)
        return x, y, x + width, y + height

    def _statistics(self, entry: dict[str, Any], where: str, *, evaluated: bool) -> None:
        """Check what the evaluation reads of an annotation beside its box."""
        if finite(entry.get("area")) is None:
            self._error("annotations without area", where, f"has the area {shown(entry.get('area'))}")
        if evaluated and entry.get("iscrowd") not in (0, 1):
            self._error(
                "annotations without iscrowd", where, f"has the iscrowd {shown(entry.get('iscrowd'))}, not 0 or 1"
            )

    def _error(self, kind: str, where: str, message: str) -> None:
        self._ledger.error(kind, f"{self._path}: {where}" if where else str(self._path), message)
