"""List odd data sets in Pascal VOC's XML format."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from tests.contract.scores import pictures
from tests.contract.scores.odd_data import Table, Written
from tests.contract.scores.pictures import CLASSES, COLOURS, Picture, Store, random_pictures
from tests.contract.scores.plain_scores import read_voc
from trainers.schema import VocDataset, VocPart


@dataclass(slots=True)
class VocFile:
    """Hold one image and its annotation: ``listed`` is how the list names it."""

    name: str
    picture: Picture
    corners: list[tuple[Any, ...]]
    folder: str = "VOC"
    suffix: str = ".jpg"
    listed: str = ""
    size: tuple[int, int] | None = None
    difficult: set[int] = field(default_factory=set)

    def xml(self, names: tuple[str, ...]) -> bytes:
        root = Element("annotation")
        SubElement(root, "filename").text = f"{self.name}{self.suffix}"
        if self.size is not None:
            size = SubElement(root, "size")
            for key, value in zip(("width", "height", "depth"), (*self.size, 3), strict=True):
                SubElement(size, key).text = str(value)
        for number, ((label, _), corners) in enumerate(zip(self.picture.objects, self.corners, strict=True)):
            item = SubElement(root, "object")
            SubElement(item, "name").text = names[label]
            if number in self.difficult:
                SubElement(item, "difficult").text = "1"
            box = SubElement(item, "bndbox")
            for key, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True):
                SubElement(box, key).text = str(value)
        return tostring(root, encoding="utf-8")


class Voc:
    """Hold a data set of two splits that can still be changed."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = CLASSES
        self.classes: tuple[str, ...] = CLASSES
        self.settings: dict[str, Any] = {"image_size": (192, 144)}
        self.store: Store = photo
        self.sets = {"train": "trainval", "val": "test"}
        self.draw({"train": random_pictures(21), "val": random_pictures(22)})

    def draw(self, drawn: dict[str, list[Picture]]) -> None:
        self.files = {
            split: [VocFile(f"{split}{n:04}", picture, [], size=picture.size) for n, picture in enumerate(some)]
            for split, some in drawn.items()
        }
        self.count_from(1)

    def count_from(self, first_pixel: int) -> None:
        """Write the painted boxes as corners."""
        self.settings["first_pixel"] = first_pixel
        for file in self:
            boxes = [box for _, box in file.picture.objects]
            file.corners = [tuple(int(v) + first_pixel for v in (x, y, x + w, y + h)) for x, y, w, h in boxes]

    def __iter__(self) -> Iterator[VocFile]:
        return (file for files in self.files.values() for file in files)

    def write(self, root: Path) -> Written:
        for file in self:
            image, xml = self._paths(root, file)
            for path in (image, xml):
                path.parent.mkdir(parents=True, exist_ok=True)
            self.store(file.picture.draw(), image)
            xml.write_bytes(file.xml(self.names))
        splits = {split: self._lists(root, split) for split in self.files}
        spec = VocDataset(kind="voc", root=str(root), classes=self.classes, flip=0.0, **splits, **self.settings)
        first = self.settings["first_pixel"]
        pairs = {split: [self._paths(root, file)[::-1] for file in files] for split, files in self.files.items()}
        truths = {split: read_voc(found, self.classes, first) for split, found in pairs.items()}
        return Written(spec, truths, dict(zip(self.names, COLOURS, strict=True)))

    def _lists(self, root: Path, split: str) -> tuple[VocPart, ...]:
        folders = dict.fromkeys(file.folder for file in self.files[split])
        for folder in folders:
            names = [file.listed or file.name for file in self.files[split] if file.folder == folder]
            path = root / folder / "ImageSets" / "Main" / f"{self.sets[split].removesuffix('.txt')}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        return tuple(VocPart(folder=folder, set=self.sets[split]) for folder in folders)

    @staticmethod
    def _paths(root: Path, file: VocFile) -> tuple[Path, Path]:
        folder = root / file.folder
        return folder / "JPEGImages" / f"{file.name}{file.suffix}", folder / "Annotations" / f"{file.name}.xml"


TABLE = Table(Voc)
odd, painted = TABLE.odd, TABLE.painted


def photo(image: Any, path: Path) -> None:
    image.save(path, format="JPEG", quality=98, subsampling=0)


@painted
def nothing_odd(_: Voc) -> None: ...


@painted
def first_pixel_0(data: Voc) -> None:
    data.count_from(0)


@odd
def difficult_objects(data: Voc) -> None:
    for file in data:
        file.difficult = {0}


@odd
def an_image_with_nothing_but_difficult_objects(data: Voc) -> None:
    for file in data:
        if file.name.endswith("2"):
            file.difficult = {0, 1, 2, 3, 4, 5}


@odd
def float_corners(data: Voc) -> None:
    for file in data:
        file.corners = [tuple(value + 0.7 for value in corners) for corners in file.corners]


@odd
def boxes_at_pixel_0_though_counted_from_1(data: Voc) -> None:
    for file in data:
        file.corners = [(0, 0, *corners[2:]) for corners in file.corners]


@odd
def boxes_partly_and_wholly_outside(data: Voc) -> None:
    for file in data:
        file.corners[0], file.corners[1] = (-20, 20, 40, 60), (300, 20, 340, 60)
        file.corners[2] = (150, 100, 300, 200)


@odd
def corners_the_wrong_way_round_or_equal(data: Voc) -> None:
    for file in data:
        x1, y1, x2, y2 = file.corners[0]
        file.corners[0], file.corners[1] = (x2, y1, x1, y2), (50, 50, 50, 90)


@painted
def no_size(data: Voc) -> None:
    for file in data:
        file.size = None


@painted
def size_is_0(data: Voc) -> None:
    for file in data:
        file.size = (0, 0)


@painted
def other_names(data: Voc) -> None:
    data.classes = ("gear", "bolt")


@painted
def class_names_in_other_scripts(data: Voc) -> None:
    data.names = data.classes = ("гайка", "ネジ", "red nut & bolt")


@painted
def images_without_objects(data: Voc) -> None:
    for file in data:
        if file.name.endswith("1"):
            file.picture.objects.clear()
            file.corners.clear()


@painted
def lists_with_suffixes(data: Voc) -> None:
    for file in data:
        file.listed = f"{file.name}.jpg"


@painted
def lists_as_of_one_class(data: Voc) -> None:
    for number, file in enumerate(data):
        file.listed = f"{file.name} {1 if number % 2 else -1:2}"


@painted
def lists_with_spaces_and_empty_lines(data: Voc) -> None:
    for file in data:
        file.listed = f"  {file.name}\t\r\n"


@painted
def set_with_a_suffix(data: Voc) -> None:
    data.sets = {"train": "trainval.txt", "val": "test.txt"}


@painted
def parts_over_two_folders_with_equal_names(data: Voc) -> None:
    for number, file in enumerate(data):
        file.folder, file.name = f"VOC{2007 + number % 2 * 5}", f"{file.name[:-4]}{number // 2:04}"


@painted
def png_images(data: Voc) -> None:
    data.store = pictures.plain
    for file in data:
        file.suffix = ".PNG"


@painted
def grey_images_of_16_bits(data: Voc) -> None:
    data.store = pictures.deep
    for file in data:
        file.suffix = ".png"


@painted
def images_turned_by_exif(data: Voc) -> None:
    data.store = pictures.turned(6)


@painted
def names_with_wide_spaces(data: Voc) -> None:
    for file in data:
        file.name = f"IMG\u3000{file.name}\u202fa.b"


@painted
def images_below_32_pixels(data: Voc) -> None:
    sizes = [(120, 28), (28, 120), (32, 32), (120, 90)]
    drawn = [Picture(size, [(n % 3, (4.0, 3.0, 20.0, 21.0))]) for n, size in enumerate(sizes)]
    data.draw({"train": drawn, "val": drawn})


@painted
def one_image_and_one_class(data: Voc) -> None:
    data.classes = ("nut",)
    picture = Picture((192, 144), [(1, (20.0, 30.0, 100.0, 100.0)), (0, (130.0, 3.0, 30.0, 30.0))])
    data.draw({"train": [picture], "val": [picture]})
