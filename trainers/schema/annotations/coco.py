"""Read a file in COCO's JSON format."""

import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trainers.schema.annotations import kinds
from trainers.schema.annotations.corners import guess_of_corners
from trainers.schema.annotations.doubts import note_fractions, note_repeated_boxes, note_shared_files
from trainers.schema.annotations.joined import joined
from trainers.schema.annotations.json_file import JsonFileError, read_json
from trainers.schema.annotations.kinds import OddityKind
from trainers.schema.annotations.numbers import finite, number, shown
from trainers.schema.annotations.pieces import NotPlain, Pieces, read_pieces
from trainers.schema.annotations.place import reason_to_leave_out, told
from trainers.schema.annotations.plain_boxes import PlainBoxes
from trainers.schema.annotations.records import AnnotatedSplit, Box, Image
from trainers.schema.annotations.wording import has, visible
from trainers.schema.dataset import CocoDataset, CocoSplit, SplitName, class_names
from trainers.schema.image_hints import elsewhere
from trainers.schema.image_names import Located, locate
from trainers.schema.tree import Tree

DIGITS = 30  # no id that somebody counts has more
MANY = 100  # ids of one hash: a table of them takes the square of their number in time, and nobody counts so
OTHER = -1  # the label of categories that are no class of the study
LARGE = 1 << 31  # pixels; a float holds smaller numbers as they are
NUMBERS = frozenset({int, float})  # what JSON's numbers become; ``bool`` is none of them


def read_coco(root: str, parts: Sequence[CocoSplit], classes: tuple[str, ...], name: SplitName) -> AnnotatedSplit:
    """Return the split ``name`` of a COCO dataset as far as it can be read; its notes list the rest.

    Categories are known by their names: labels follow the order of ``classes``, for any ids and order in the file.
    Of several files, an image's id is the file's name, a colon and the id in the file.
    """
    found = [_read_file(root, files, classes, name) for files in parts]
    return found[0] if len(found) == 1 else joined(found, [files.annotations for files in parts], classes)


def _read_file(root: str, files: CocoSplit, classes: tuple[str, ...], name: SplitName) -> AnnotatedSplit:
    path = Path(root) / files.annotations

    def read(content: Any) -> AnnotatedSplit:
        split = AnnotatedSplit(name)
        _CocoReader(path, root, files.images, classes, split).read(content)
        return split

    try:
        return read(read_pieces(path))
    except NotPlain:
        pass
    try:
        return read(read_json(path))
    except JsonFileError as error:
        split = AnnotatedSplit(name)
        split.notes.add(kinds.UNREADABLE, str(path), str(error))
        return split


class CocoTables(NamedTuple):
    """Hold a file's images, without boxes, and the label of each category by its id: ``OTHER`` for no class of the study."""

    split: AnnotatedSplit
    labels: dict[Any, int]


def coco_tables(
    dataset: CocoDataset, files: CocoSplit, name: SplitName, images: list[Any], categories: list[Any]
) -> CocoTables:
    """Return a file's images and categories from their entries; the notes of the split tell all that is odd about these."""
    split, classes = AnnotatedSplit(name), class_names(dataset)
    reader = _CocoReader(Path(dataset.root) / files.annotations, dataset.root, files.images, classes, split)
    return CocoTables(split, reader.read_tables(images, categories))


class _CocoReader:
    """Turn a file's content into a split."""

    def __init__(self, path: Path, root: str, folder: str, classes: tuple[str, ...], split: AnnotatedSplit) -> None:
        self._path, self._root, self._folder = path, root, folder
        self._classes, self._split = classes, split
        self._images: dict[Any, Image] = {}
        self._labels: dict[Any, int] = {}
        self._names: dict[Any, str] = {}
        self._keys: set[Any] = set()
        self._large = Counter[int]()  # ids by their hash, of those that are larger than it
        # Ids of entries that are there and of no use, for which that is told already.
        self._unusable: dict[str, set[Any]] = {"image_id": set(), "category_id": set()}
        self._absent: list[Image] = []
        self._boxes_where = f"{path}: annotation"

    def read(self, content: Any) -> None:
        if not isinstance(content, dict):
            self._note(kinds.UNREADABLE, "", f"holds {shown(content)} instead of an object")
            return
        images, annotations, categories = (self._list(content, key) for key in ("images", "annotations", "categories"))
        pieces = annotations if isinstance(annotations, Pieces) else [annotations]
        if self._split.notes.stopping is not None:
            return
        self.read_tables(images, categories)
        self._read_annotations(pieces)
        if (guess := guess_of_corners(self._split)) is not None:
            self._note(kinds.CORNERS, "", guess)
        note_repeated_boxes(self._split)
        note_fractions(self._split, str(self._path))
        self._note_absent()

    def read_tables(self, images: list[Any], categories: list[Any]) -> dict[Any, int]:
        """Add the images, without boxes, and return the categories' labels by id."""
        self._read_categories(categories)
        self._read_images(images)
        return self._labels

    def _note_absent(self) -> None:
        """Note the files that will be missed; images without boxes may be away."""
        for image in self._absent:
            if image.annotated or self._split.name != "train":
                message = f"{visible(image.path)} does not exist"
                if not self._split.notes.counts[kinds.MISSING_IMAGES]:
                    message += elsewhere(self._root, image.path)
                self._split.notes.add(kinds.MISSING_IMAGES, image.where, message)

    def _list(self, content: dict[str, Any], key: str) -> Any:
        found = content.get(key)
        if isinstance(found, list | Pieces):
            return found
        self._note(kinds.UNREADABLE, "", f"has no list of {key}" if found is None else f"{key} is no list")
        return []

    def _entries(
        self, entries: list[Any], what: str, nameless: OddityKind, twice: OddityKind
    ) -> Iterator[tuple[Any, Any]]:
        """Yield id and content of the entries that are objects with an id, each id once."""
        seen: set[Any] = set()
        for position, entry in enumerate(entries):
            given = entry.get("id") if isinstance(entry, dict) else None
            key = self._id(given)
            if key is None:
                self._note(nameless, f"{what} at position {position}", _no_id(entry, given))
            elif key in seen:
                self._note(twice, f"{what} {shown(key)}", "has the id of an earlier one")
            else:
                seen.add(key)
                yield key, entry

    # ------------------------------------------------------------------------------------------------- categories

    def _read_categories(self, entries: list[Any]) -> None:
        numbers = {name: label for label, name in enumerate(self._classes)}
        for key, entry in self._entries(entries, "category", kinds.CATEGORIES_WITHOUT_ID, kinds.DUPLICATE_CATEGORIES):
            name = entry.get("name")
            if not isinstance(name, str):
                self._note(kinds.NAMELESS_CATEGORIES, f"category {shown(key)}", has("name", name))
                self._unusable["category_id"].add(key)
                continue
            self._names[key] = name
            self._labels[key] = numbers.get(name, OTHER)
        self._split.names = tuple(self._names.values())
        if self._split.notes.names_all:
            self._compare()

    def _compare(self) -> None:
        """Compare the file's categories with the study's classes."""
        found = self._split.names
        for name in self._classes:
            if name not in found:
                self._note(kinds.ABSENT_CLASSES, "categories", f"the study's class {name!r} is not among them")
            elif (times := found.count(name)) > 1:
                self._note(kinds.SHARED_NAMES, "categories", f"{times} have the name {name!r}: they are one class")
        ids = [key for key, label in self._labels.items() if label != OTHER]
        if all(isinstance(key, int) for key in ids) and ids != sorted(ids):
            self._split.readings["category-order"] += 1

    # ----------------------------------------------------------------------------------------------------- images

    def _read_images(self, entries: list[Any]) -> None:
        known = dict(self._entries(entries, "image", kinds.IMAGES_WITHOUT_ID, kinds.DUPLICATE_IMAGES))
        given = [entry.get("file_name") for entry in known.values()]
        names = list(dict.fromkeys(name for name in given if isinstance(name, str) and name))
        tree = Tree(self._root)
        files = dict(zip(names, locate(self._root, self._folder, names, tree), strict=True))
        self._split.listings = tree.listings
        for key, entry in known.items():
            image = self._image(key, entry, files)
            if image is not None:
                self._images[key] = image
            else:
                self._unusable["image_id"].add(key)
        self._split.images = list(self._images.values())
        note_shared_files(self._split, "each is without the other's boxes")

    def _image(self, key: Any, entry: dict[str, Any], files: dict[str, Located]) -> Image | None:
        where = f"image {shown(key)}"
        name = entry.get("file_name")
        if not isinstance(name, str) or not name:
            self._note(kinds.NAMELESS_IMAGES, where, has("file_name", name))
            return None
        file = files[name]
        if file.refused is not None:
            self._note(kinds.IMAGES_OUTSIDE, where, f"has the file_name {shown(name)}, which {file.refused}")
            return None
        width, height = self._size(entry, where)
        image = Image(key, file.path, width, height, f"{self._path}: {where}", self._boxes_where)
        if not file.there:
            self._absent.append(image)
        return image

    def _size(self, entry: dict[str, Any], where: str) -> tuple[Any, Any]:
        wide, high = entry.get("width"), entry.get("height")
        if type(wide) is int and type(high) is int and 0 < wide < LARGE and 0 < high < LARGE:
            return wide, high
        width, height = finite(wide), finite(high)
        if width is None or height is None or width <= 0 or height <= 0:
            missing = [side for side in ("width", "height") if entry.get(side) is None]
            size = f"the size {shown(entry.get('width'))} x {shown(entry.get('height'))}"
            self._note(
                kinds.IMAGES_WITHOUT_SIZE, where, f"has {' and '.join(f'no {side}' for side in missing) or size}"
            )
            return None, None
        return _whole(entry["width"]), _whole(entry["height"])

    # ------------------------------------------------------------------------------------------------ annotations

    def _read_annotations(self, pieces: Iterable[list[Any]]) -> None:
        """Add the boxes of all entries: of a piece without anything odd at once, else entry by entry."""
        known = PlainBoxes(self._images, self._labels, self._keys, self._names, self._split.others)
        before = 0
        for piece in pieces:
            if not known.add(piece):
                for position, entry in enumerate(piece, start=before):
                    self._annotation(position, entry)
            before += len(piece)

    def _annotation(self, position: int, entry: Any) -> None:
        if not isinstance(entry, dict):
            self._note(kinds.ANNOTATIONS_WITHOUT_ID, f"annotation at position {position}", _no_id(entry, None))
            return
        key = self._annotation_key(position, entry.get("id"))
        image = self._known(entry, "image_id", self._images, kinds.UNKNOWN_IMAGES, key)
        label = self._known(entry, "category_id", self._labels, kinds.UNKNOWN_CATEGORIES, key)
        if label == OTHER:
            self._split.others[self._names[_key(entry["category_id"])]] += 1
        elif image is not None and label is not None:
            image.annotated = True
            box = self._box(key, label, entry, image)
            if box is not None:
                image.boxes.append(box)
                self._compare_with_earlier_readings(box, entry)
        elif image is not None and self._is_unusable(entry, "category_id"):
            image.annotated = True  # by a class that nothing tells

    def _id(self, given: Any) -> int | str | None:
        """Return an id as ``_key`` does; ``None`` for a large number, too, where many others have its hash."""
        key = _key(given)
        if isinstance(key, str) or key is None or abs(key) < sys.hash_info.modulus:
            return key
        self._large[hash(key)] += 1
        return key if self._large[hash(key)] <= MANY else None

    def _annotation_key(self, position: int, given: Any) -> Any:
        """Return an annotation's name in messages; ids are not needed for anything else."""
        key = self._id(given)
        if key is None:
            name = f"at position {position}"
            if given is not None:
                self._note(kinds.ANNOTATIONS_WITHOUT_ID, f"annotation {name}", _no_id({}, given))
            return _AnnotationPlace(name)
        if key in self._keys:
            self._note(kinds.DUPLICATE_ANNOTATIONS, f"annotation {shown(key)}", "has the id of an earlier one")
        self._keys.add(key)
        return key

    def _known(self, entry: dict[str, Any], name: str, among: dict[Any, Any], kind: OddityKind, key: Any) -> Any:
        value = entry.get(name)
        found = among.get(value) if isinstance(value, int | str | float) and not isinstance(value, bool) else None
        if found is None and not self._is_unusable(entry, name):
            what = "" if value is None else f", which does not exist{_other_form(value, among)}"
            self._note(kind, f"annotation {shown(key)}", has(name, value) + what)
        return found

    def _is_unusable(self, entry: dict[str, Any], name: str) -> bool:
        """Return whether an annotation's image or category is one of which something is told already.

        Where an entry has no id, every id that is unknown may be meant for it.
        """
        value, known = entry.get(name), self._split.notes.told
        nameless = kinds.IMAGES_WITHOUT_ID if name == "image_id" else kinds.CATEGORIES_WITHOUT_ID
        return nameless in known or (isinstance(value, int | str | float) and value in self._unusable[name])

    def _box(self, key: Any, label: int, entry: dict[str, Any], image: Image) -> Box | None:
        given = entry.get("bbox")
        if not isinstance(given, list) or len(given) != 4 or not NUMBERS.issuperset(map(type, given)):
            what = "" if given is None else " instead of four numbers"
            self._note(kinds.NO_BOX, f"annotation {shown(key)}", has("bbox", given) + what)
            return None
        x, y, width, height = given
        if not _is_finite(x, y, width, height):
            left, top, wide, high = (number(value) or 0.0 for value in given)
            message = f"has the corners {told((left, top, left + wide, top + high))}"
            self._note(kinds.NO_NUMBERS, f"annotation {shown(key)}", message)
            return None
        reason = reason_to_leave_out(x, y, width, height, image.size)
        ignored = self._flag(entry, "iscrowd", key) | self._flag(entry, "ignore", key)
        area = self._area(key, entry.get("area"), width * height, told_of=reason is None)
        return Box(label, x, y, width, height, area, ignored, key, reason)

    def _flag(self, entry: dict[str, Any], name: str, key: Any) -> bool:
        value = entry.get(name)
        if value is None or value in (0, 1):
            return bool(value)
        self._note(kinds.UNCLEAR_FLAGS, f"annotation {shown(key)}", f"has the {name} {shown(value)}, not 0 or 1")
        return False

    def _area(self, key: Any, given: Any, of_box: float, *, told_of: bool) -> float:
        """Return an annotation's area; anything but a number above 0 is replaced by the box's own area."""
        if _is_area(given):
            return given  # type: ignore[no-any-return]  # a number, as the file writes it
        if told_of:
            what = "no area" if given is None else f"the area {shown(given)}"
            self._note(kinds.AREAS, f"annotation {shown(key)}", f"has {what}: it follows from the box, {of_box:g}")
        return of_box

    def _compare_with_earlier_readings(self, box: Box, entry: dict[str, Any]) -> None:
        """Count the annotations that earlier releases trained on or scored differently."""
        readings = self._split.readings
        if isinstance(box.key, int) and not 0 < box.key < 2**63:
            readings["annotation-id"] += 1
        area: Any = entry.get("area")
        if not _is_area(area):
            readings["area"] += box.trained and type(area) in NUMBERS and area <= 0
            readings["area-in-evaluation"] += 1
        if entry.get("ignore"):
            readings["ignore"] += 1

    def _note(self, kind: OddityKind, where: str, message: str) -> None:
        self._split.notes.add(kind, f"{self._path}: {where}" if where else str(self._path), message)


def _is_area(value: Any) -> bool:
    """Return whether a value is a number above 0 that a float can hold."""
    return type(value) in NUMBERS and 0 < (number(value) or 0.0) < math.inf


class _AnnotationPlace(str):
    """Name an annotation by its position: shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _key(value: Any) -> int | str | None:
    """Return an id: a whole number, or text; ``None`` for anything else."""
    if isinstance(value, int | str):
        return None if isinstance(value, bool) else value
    return int(value) if isinstance(value, float) and value.is_integer() else None


def _no_id(entry: Any, given: Any) -> str:
    """Describe the problem of an entry without an id."""
    if not isinstance(entry, dict):
        return f"is {shown(entry)} instead of an object"
    return "has no id" if given is None else f"has the id {shown(given)}, which is neither a whole number nor text"


def _other_form(value: Any, among: dict[Any, Any]) -> str:
    """Return a hint where an id exists as text instead of as a number, or the other way round."""
    if isinstance(value, str) and len(value) < DIGITS and value.isascii() and value.isdecimal() and int(value) in among:
        return " as text, but as a number"
    return " as a number, but as text" if isinstance(value, int) and str(value) in among else ""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_finite(x: Any, y: Any, width: Any, height: Any) -> bool:
    try:
        return math.isfinite(x + width) and math.isfinite(y + height)
    except OverflowError:  # an integer that no float can hold
        return False
