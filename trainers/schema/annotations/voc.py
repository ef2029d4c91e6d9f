"""Read a split of folders in Pascal VOC's layout."""

from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from trainers.schema.annotations import kinds
from trainers.schema.annotations.doubts import note_repeated_boxes, note_shared_files
from trainers.schema.annotations.numbers import shown
from trainers.schema.annotations.place import reason_to_leave_out, told
from trainers.schema.annotations.reason import reason
from trainers.schema.annotations.records import AnnotatedSplit, Box, Image, SizeOf
from trainers.schema.annotations.wording import visible
from trainers.schema.dataset import SplitName, VocDataset, VocPart, voc_parts
from trainers.schema.file_names import require_below
from trainers.schema.files_digest import DigestingReader
from trainers.schema.image_hints import elsewhere
from trainers.schema.voc_layout import PartFiles
from trainers.schema.voc_xml import VocImage, VocObject, VocXmlError, parse_voc_xml, whole_box


def read_voc(
    dataset: VocDataset, name: SplitName, classes: tuple[str, ...], size_of: SizeOf | None = None
) -> AnnotatedSplit:
    """Return the split ``name`` of a VOC dataset as far as it can be read; its notes list the rest.

    Images are numbered from 1 in the order of the lists. Coordinates are cut to whole pixels, as mmdet does.
    """
    split = AnnotatedSplit(name)
    reader = _VocReader(dataset, classes, split, size_of)
    for part in voc_parts(dataset, name):
        reader.read(part)
    if kinds.DUPLICATE_IMAGES not in split.notes.told:
        note_shared_files(split, "it counts twice")
    note_repeated_boxes(split)
    return split


class _VocReader:
    """Turn lists and XML files into a split."""

    def __init__(
        self, dataset: VocDataset, classes: tuple[str, ...], split: AnnotatedSplit, size_of: SizeOf | None
    ) -> None:
        self._root, self._first_pixel = Path(dataset.root), dataset.first_pixel
        self._labels = {name: label for label, name in enumerate(classes)}
        self._split, self._size_of = split, size_of
        self._numbers = count(1)

    def read(self, part: VocPart) -> None:
        """Add one part."""
        files, reader = PartFiles(self._root, part), DigestingReader()
        for name in self._names(files):
            self._read_image(files, name, reader)
        self._split.seen.append(files.seen_by(reader))

    def _names(self, files: PartFiles) -> Iterator[str]:
        listed, notes = files.source, self._split.notes
        try:
            names = files.names
        except (OSError, UnicodeDecodeError) as error:
            message = f"cannot be read as a list of images: {reason(error)}"
            notes.add(kinds.UNREADABLE, str(listed), message)
            return
        if not names:
            notes.add(kinds.UNREADABLE, str(listed), "names no image")
        times = Counter(names)
        for name in names:
            if times[name] > 1:
                notes.add(kinds.DUPLICATE_IMAGES, _listed_at(listed, name), f"is listed {times.pop(name)} times")
            try:
                yield require_below(name)
            except ValueError as error:
                notes.add(kinds.IMAGES_OUTSIDE, _listed_at(listed, name), str(error))

    def _read_image(self, files: PartFiles, name: str, reader: DigestingReader) -> None:
        path, notes = files.xml_path(name), self._split.notes
        try:
            found = parse_voc_xml(reader.read(path))
            file = files.image_path(name, found.file_name)
            size = found.size or self._size(file, path)
        except FileNotFoundError:
            notes.add(kinds.MISSING_XML, _listed_at(files.source, name), f"has no annotation file {path}")
            return
        except VocXmlError as error:
            notes.add(kinds.UNREADABLE, path, str(error))
            return
        except (OSError, ValueError, OverflowError) as error:
            notes.add(kinds.UNREADABLE, path, f"cannot be read: {reason(error)}")
            return
        width, height = size or (None, None)
        image = Image(next(self._numbers), file, width, height, path, f"{path}: object")
        self._add(found, image)
        if not files.has_image(file) and (image.annotated or self._split.name != "train"):
            hint = "" if notes.counts[kinds.MISSING_IMAGES] else elsewhere(str(self._root), file)
            notes.add(kinds.MISSING_IMAGES, image.where, f"{visible(file)} does not exist{hint}")

    def _size(self, file: str, path: str) -> tuple[int, int] | None:
        """Return an image's size from its file, where the annotation does not give it."""
        self._split.notes.add(kinds.UNKNOWN_SIZE, path, "gives no size of the image, which is read to learn it")
        return self._size_of(Path(file)) if self._size_of else None

    def _add(self, found: VocImage, image: Image) -> None:
        for position, item in enumerate(found.objects, start=1):
            if item.name not in self._labels:
                self._split.others[item.name] += 1
                continue
            box = self._box(item, position, image)
            if box is not None:
                image.boxes.append(box)
        image.annotated = any(box.trained for box in image.boxes)
        self._split.images.append(image)

    def _box(self, item: VocObject, position: int, image: Image) -> Box | None:
        try:
            x1, y1, x2, y2 = whole_box(item, self._first_pixel)
        except (ValueError, OverflowError):
            a, b, c, d = item.box
            message = f"has the corners {told((a, b, c, d))}"
            self._split.notes.add(kinds.NO_NUMBERS, f"{image.boxes_where} {position}", message)
            return None
        if self._first_pixel == 1 and min(x1, y1) == -1:
            message = "has a corner at 0, and dataset.first_pixel is 1: write first_pixel: 0 if the files count from 0"
            self._split.notes.add(kinds.AT_ZERO, f"{image.boxes_where} {position}", message)
        width, height = x2 - x1, y2 - y1
        left_out = reason_to_leave_out(x1, y1, width, height, image.size)
        label = self._labels[item.name]
        area, evaluated = width * height, left_out is None
        return Box(label, x1, y1, width, height, area, item.difficult, position, left_out, evaluated)


def _listed_at(source: Path, name: str) -> str:
    return f"{source}: image {shown(name)}"
