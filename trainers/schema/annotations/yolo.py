"""Read a split in YOLO's text format."""

import math
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from trainers.schema.annotations import kinds
from trainers.schema.annotations.doubts import note_repeated_boxes, note_shared_files
from trainers.schema.annotations.numbers import shown
from trainers.schema.annotations.place import reason_to_leave_out
from trainers.schema.annotations.reason import reason
from trainers.schema.annotations.records import AnnotatedSplit, Box, Image
from trainers.schema.annotations.yolo_names import NamesError, read_names
from trainers.schema.dataset import SplitName, YoloDataset, YoloPart, yolo_parts
from trainers.schema.files_digest import DigestingReader
from trainers.schema.image_header import read_header
from trainers.schema.image_rule import ImageError
from trainers.schema.yolo_layout import YoloFiles

OF_BOX = 5  # numbers of a line: class, centre, size
OF_POLYGON = 7  # the least: class and three points
BEYOND = 0.01  # how far a share may leave the image, for rounding


def read_yolo(dataset: YoloDataset, name: SplitName, classes: tuple[str, ...]) -> AnnotatedSplit:
    """Return a split of a YOLO dataset as far as it can be read; its notes list the rest.

    Images are numbered from 1, in the order of their paths or of the list. An image without a label file has no boxes.
    A line with more points is a polygon, of which the box around it is taken. Sizes are those of the files, turned as
    viewers show them unless ``exif`` is ``ignore``.
    """
    split = AnnotatedSplit(name)
    try:
        numbers = (
            read_names(Path(dataset.root) / dataset.data) if dataset.data is not None else dict(enumerate(classes))
        )
    except NamesError as error:
        split.notes.add(kinds.UNREADABLE, str(Path(dataset.root) / str(dataset.data)), str(error))
        return split
    split.names = tuple(numbers.values())
    reader = _YoloReader(dataset, classes, numbers, split)
    for part in yolo_parts(dataset, name):
        reader.read(part)
    if dataset.data is not None:
        _compare(split, classes, str(Path(dataset.root) / dataset.data))
    note_shared_files(split, "it counts twice")
    note_repeated_boxes(split)
    return split


def _compare(split: AnnotatedSplit, classes: Sequence[str], where: str) -> None:
    for name in classes:
        if name not in split.names:
            split.notes.add(kinds.ABSENT_CLASSES, f"{where}: names", f"the study's class {name!r} is not among them")


class _YoloReader:
    """Turn images and label files into a split."""

    def __init__(
        self, dataset: YoloDataset, classes: tuple[str, ...], numbers: dict[int, str], split: AnnotatedSplit
    ) -> None:
        self._root, self._rule = dataset.root, dataset.pixel_rule
        self._labels = {name: label for label, name in enumerate(classes)}
        self._names, self._split = numbers, split
        self._ids = count(1)

    def read(self, part: YoloPart) -> None:
        """Add one part."""
        files, reader = YoloFiles(self._root, part), DigestingReader()
        if part.labels is not None and not os.path.isdir(f"{self._root}/{part.labels}"):  # noqa: PTH112
            self._note(kinds.UNREADABLE, f"{self._root}/{part.labels}", "is no folder of labels, or not there")
            return
        try:
            names = files.names
        except (OSError, ValueError) as error:
            self._note(kinds.UNREADABLE, str(files.source), f"cannot be read: {reason(error)}")
            return
        for path in files.lost_links:
            self._note(kinds.UNREADABLE, path, "is a link that leads nowhere: mend or remove it")
        if not names and not files.lost_links:
            what = "names no image" if files.is_list else "holds no image"
            self._note(kinds.UNREADABLE, str(files.source), what)
        for name in names:
            self._read_image(files, name, reader)
        self._split.seen.append(files.seen_by(reader))

    def _read_image(self, files: YoloFiles, name: str, reader: DigestingReader) -> None:
        path, label_file = f"{self._root}/{name}", files.label_file(name)
        where = f"{self._root}/{label_file}" if label_file is not None else path
        image = Image(next(self._ids), path, None, None, where, f"{where}: line")
        if not files.has_image(name):
            self._note(kinds.MISSING_IMAGES, str(files.source), f"{path} does not exist")
            return
        try:
            image.width, image.height = self._size(Path(path))
            content = reader.read(where).decode("utf-8-sig") if label_file is not None else ""
        except UnicodeDecodeError:
            self._note(kinds.UNREADABLE, where, "is no text")
            return
        except ImageError as error:
            self._note(kinds.IMAGES_WITHOUT_SIZE, path, str(error))
            return
        except OSError as error:
            self._note(kinds.UNREADABLE, where, f"cannot be read: {reason(error)}")
            return
        self._add(image, content)

    def _size(self, path: Path) -> tuple[int, int]:
        header = read_header(path)
        return header.stored if self._rule.exif == "ignore" else header.turned

    def _add(self, image: Image, content: str) -> None:
        for line, text in enumerate(content.splitlines(), start=1):
            if text.strip():
                self._add_line(image, line, text.split())
        image.annotated = any(box.trained for box in image.boxes)
        self._split.images.append(image)

    def _add_line(self, image: Image, line: int, words: Sequence[str]) -> None:
        try:
            number, *shares = map(float, words)
        except ValueError:
            self._note(kinds.NO_NUMBERS, f"{image.boxes_where} {line}", f"holds {shown(' '.join(words))}, not numbers")
            return
        if (name := self._name(image, line, number)) is None:
            return
        around = _around(shares)
        if around is None:
            found = f"has {len(words)} numbers, not a class and a box (5) or a polygon (7, 9, ...)"
            self._note(kinds.NO_BOX, f"{image.boxes_where} {line}", found)
        elif not all(-BEYOND <= share <= 1 + BEYOND for share in shares):
            message = f"has {shown(' '.join(words))}: a box is given in shares of the image, from 0 to 1"
            self._note(kinds.NO_SHARES, f"{image.boxes_where} {line}", message)
        elif name in self._labels:
            image.boxes.append(_box(self._labels[name], around, image, line))
        else:
            self._split.others[name] += 1

    def _name(self, image: Image, line: int, number: float) -> str | None:
        name = self._names.get(int(number)) if math.isfinite(number) and number == int(number) else None
        if name is None:
            message = f"has the class {number:g}, and there are names for {_numbers(self._names)}"
            self._note(kinds.UNKNOWN_CATEGORIES, f"{image.boxes_where} {line}", message)
        return name

    def _note(self, kind: kinds.OddityKind, where: str, message: str) -> None:
        self._split.notes.add(kind, where, message)


def _numbers(names: dict[int, str]) -> str:
    return f"0 to {max(names)}" if len(names) > 1 else "0"


def _around(shares: Sequence[float]) -> tuple[float, float, float, float] | None:
    """Return the corners of a line's box as shares of the image, ``None`` where the line gives none."""
    if len(shares) + 1 == OF_BOX:
        x, y, width, height = shares
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(shares) + 1 < OF_POLYGON or len(shares) % 2:
        return None
    return min(shares[::2]), min(shares[1::2]), max(shares[::2]), max(shares[1::2])


def _box(label: int, around: tuple[float, float, float, float], image: Image, line: int) -> Box:
    wide, high = image.size or (1, 1)
    x, y = around[0] * wide, around[1] * high
    width, height = around[2] * wide - x, around[3] * high - y
    left_out = reason_to_leave_out(x, y, width, height, image.size)
    return Box(label, x, y, width, height, max(width * height, 0.0), False, line, left_out, left_out is None)
