"""List odd data sets in COCO's JSON format."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.contract.scores import pictures
from tests.contract.scores.odd_data import Table, Written
from tests.contract.scores.pictures import CLASSES, COLOURS, Picture, Store, random_pictures
from tests.contract.scores.plain_scores import read_coco
from trainers.schema import CocoDataset, CocoSplit

Json = dict[str, Any]


class CocoHalf:
    """Hold one split: its annotation file, its pictures, and how and under which names they are stored."""

    def __init__(self, name: str, drawn: list[Picture]) -> None:
        self.name, self.drawn, self.store = name, drawn, pictures.plain
        self.stores: dict[int, Store] = {}
        self.files = self.said = [f"{name}_{number}.png" for number in range(len(drawn))]
        self.images: list[Json] = [
            {"id": number, "file_name": file, "width": picture.size[0], "height": picture.size[1]}
            for number, (file, picture) in enumerate(zip(self.files, drawn, strict=True), start=1)
        ]
        self.categories: list[Json] = [{"id": n, "name": name} for n, name in enumerate(CLASSES, start=1)]
        self.annotations: list[Json] = []
        for image, picture in zip(self.images, drawn, strict=True):
            for label, box in picture.objects:
                self.add(image["id"], label + 1, box)

    def add(self, image: Any, category: Any, box: tuple[float, ...], **more: Any) -> None:
        number = max((row["id"] for row in self.annotations), default=0) + 1
        row = {"id": number, "image_id": image, "category_id": category, "bbox": list(box)}
        self.annotations.append({**row, "area": box[2] * box[3], "iscrowd": 0, **more})

    def rename(self, files: list[str], said: list[str] | None = None) -> None:
        """Store the images under other names; the annotation file says ``said``."""
        self.files, self.said = files, said or files
        for image, name in zip(self.images, self.said, strict=True):
            image["file_name"] = name

    def paths(self, root: Path) -> dict[str, Path]:
        """Return where the image of each name in the annotation file lies."""
        return {name: root / self.name / file for name, file in zip(self.said, self.files, strict=True)}

    def write(self, root: Path) -> None:
        for number, (path, picture) in enumerate(zip(self.paths(root).values(), self.drawn, strict=True)):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.stores.get(number, self.store)(picture.draw(), path)
        content = {"images": self.images, "annotations": self.annotations, "categories": self.categories}
        (root / f"{self.name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


class Coco:
    """Hold a data set of two splits that can still be changed."""

    def __init__(self) -> None:
        self.names: tuple[str, ...] = CLASSES
        self.classes: tuple[str, ...] = CLASSES
        self.settings: Json = {"image_size": (192, 144)}
        self.draw(5)

    def draw(self, count: int, size: tuple[int, int] = (192, 144)) -> None:
        """Begin anew with pictures of a size."""
        self.train, self.val = (CocoHalf(n, random_pictures(s, count, size)) for s, n in ((11, "train"), (12, "val")))

    def redraw(self, drawn: list[Picture]) -> None:
        """Begin anew with these pictures in both splits."""
        self.train, self.val = CocoHalf("train", drawn), CocoHalf("val", drawn)

    def __iter__(self) -> Iterator[CocoHalf]:
        return iter((self.train, self.val))

    @property
    def annotations(self) -> list[Json]:
        """Return those of both splits."""
        return [row for half in self for row in half.annotations]

    def store(self, store: Store) -> None:
        for half in self:
            half.store = store

    def write(self, root: Path) -> Written:
        for half in self:
            half.write(root)
        splits = {half.name: CocoSplit(annotations=f"{half.name}.json", images=half.name) for half in self}
        spec = CocoDataset(kind="coco", root=str(root), classes=self.classes, flip=0.0, **splits, **self.settings)
        truths = {h.name: read_coco(root / f"{h.name}.json", h.paths(root), self.classes) for h in self}
        return Written(spec, truths, dict(zip(self.names, COLOURS, strict=True)))


TABLE = Table(Coco)
odd, painted = TABLE.odd, TABLE.painted


@painted
def nothing_odd(_: Coco) -> None: ...


# --------------------------------------------------------------------------------------------------------------- ids


@painted
def annotation_ids_from_0(data: Coco) -> None:
    for half in data:
        for number, row in enumerate(half.annotations):
            row["id"] = number


@painted
def image_ids_from_0(data: Coco) -> None:
    renumber_images(data, lambda number: number - 1)


@painted
def image_ids_are_text(data: Coco) -> None:
    renumber_images(data, lambda number: f"frame-{number}")


@painted
def image_ids_are_negative_and_fall(data: Coco) -> None:
    renumber_images(data, lambda number: -number)


@painted
def ids_near_2_to_the_62(data: Coco) -> None:
    renumber_images(data, lambda number: 2**62 + number)
    for row in data.annotations:
        row["id"] += 2**62


@painted
def ids_beyond_64_bits(data: Coco) -> None:
    renumber_images(data, lambda number: 2**70 + number)
    for row in data.annotations:
        row["id"] += 2**70


@painted
def annotation_ids_are_text(data: Coco) -> None:
    for row in data.annotations:
        row["id"] = f"a{row['id']}"


@painted
def annotation_ids_are_missing(data: Coco) -> None:
    for row in data.annotations:
        del row["id"]


@painted
def annotation_ids_are_not_in_order(data: Coco) -> None:
    for half in data:
        half.annotations.reverse()
        half.images.reverse()


@painted
def category_ids_have_gaps(data: Coco) -> None:
    for half in data:
        renumber_categories(half, {1: 7, 2: 40, 3: 90})


@painted
def category_ids_fall(data: Coco) -> None:
    for half in data:
        renumber_categories(half, {1: 30, 2: 20, 3: 10})


@painted
def category_ids_are_text(data: Coco) -> None:
    for half in data:
        renumber_categories(half, {1: "B", 2: "N", 3: "G"})


@painted
def two_categories_of_one_name(data: Coco) -> None:
    for half in data:
        half.categories.append({"id": 4, "name": "nut"})
        for row in half.annotations[::2]:
            row["category_id"] = {2: 4}.get(row["category_id"], row["category_id"])


@painted
def category_ids_begin_at_0(data: Coco) -> None:
    for half in data:
        renumber_categories(half, {1: 0, 2: 1, 3: 2})


@painted
def category_ids_differ_in_val(data: Coco) -> None:
    renumber_categories(data.val, {1: 2, 2: 3, 3: 1})


@painted
def categories_in_another_order_in_val(data: Coco) -> None:
    data.val.categories.reverse()


@painted
def classes_in_another_order_than_the_files(data: Coco) -> None:
    data.classes = ("gear", "bolt", "nut")


# ----------------------------------------------------------------------------------------------------------- classes


@painted
def a_category_that_the_study_leaves_out(data: Coco) -> None:
    data.classes = ("bolt", "gear")


@painted
def a_category_that_nothing_uses(data: Coco) -> None:
    for half in data:
        half.categories.insert(0, {"id": 99, "name": "screws", "supercategory": "none"})


@odd
def a_class_without_objects_in_val(data: Coco) -> None:
    data.val.annotations = [row for row in data.val.annotations if row["category_id"] != 2]


@painted
def one_class_alone(data: Coco) -> None:
    data.classes = ("nut",)


@painted
def class_names_in_other_scripts(data: Coco) -> None:
    rename_classes(data, ("红", "绿", "蓝"))


@painted
def class_names_that_differ_in_a_sign(data: Coco) -> None:
    rename_classes(data, ("C+", "C#", "C_"))


@painted
def class_names_with_spaces_and_slashes(data: Coco) -> None:
    rename_classes(data, (" a/b ", "a b", "../a%20b"))


@painted
def class_names_that_differ_in_case(data: Coco) -> None:
    rename_classes(data, ("Bolt", "bolt", "BOLT"))


# ------------------------------------------------------------------------------------------------------------- areas


@painted
def area_is_0_for_one_class(data: Coco) -> None:
    for row in data.annotations:
        row["area"] *= row["category_id"] != 1


@painted
def area_is_missing(data: Coco) -> None:
    for row in data.annotations:
        del row["area"]


@painted
def area_is_null(data: Coco) -> None:
    for row in data.annotations:
        row["area"] = None


@painted
def area_is_negative(data: Coco) -> None:
    for row in data.annotations:
        row["area"] *= -1


@painted
def area_is_that_of_a_mask(data: Coco) -> None:
    for row in data.annotations:
        row["area"] *= 0.4


# --------------------------------------------------------------------------------------------------- crowds, ignored


@odd
def crowds(data: Coco) -> None:
    for half in data:
        for image in half.images:
            half.add(image["id"], 2, (10.0, 20.0, 120.0, 80.0), iscrowd=1)


@painted
def iscrowd_is_missing(data: Coco) -> None:
    for row in data.annotations:
        del row["iscrowd"]


@odd
def an_image_with_nothing_but_a_crowd(data: Coco) -> None:
    for half in data:
        half.annotations = [row for row in half.annotations if row["image_id"] != 3]
        half.add(3, 1, (10.0, 20.0, 120.0, 80.0), iscrowd=1)


@odd
def ignored_objects(data: Coco) -> None:
    for row in data.annotations[::3]:
        row["ignore"] = 1


@odd
def crowds_of_a_class_without_objects(data: Coco) -> None:
    for row in data.annotations:
        row["iscrowd"] = int(row["category_id"] == 3)


# ------------------------------------------------------------------------------------------------------------- boxes


@odd
def float_boxes(data: Coco) -> None:
    for number, row in enumerate(data.annotations):
        row["bbox"] = [value + 0.137 * (number % 5) for value in row["bbox"]]
        row["area"] = row["bbox"][2] * row["bbox"][3]


@odd
def boxes_below_a_pixel(data: Coco) -> None:
    for half in data:
        half.add(1, 1, (150.25, 120.5, 0.5, 0.75))
        half.add(2, 2, (150.0, 120.0, 0.9, 12.0))


@odd
def boxes_of_one_pixel(data: Coco) -> None:
    for half in data:
        for image in half.images:
            half.add(image["id"], 3, (150.0, 130.0, 1.0, 1.0))


@odd
def boxes_partly_outside(data: Coco) -> None:
    for half in data:
        half.add(1, 1, (-15.0, 100.0, 40.0, 30.0))
        half.add(2, 2, (170.0, 120.0, 60.0, 60.0))
        half.add(3, 3, (-10.0, -10.0, 400.0, 300.0))


@odd
def boxes_wholly_outside(data: Coco) -> None:
    for half in data:
        half.add(1, 1, (-50.0, 10.0, 40.0, 30.0))
        half.add(2, 2, (200.0, 10.0, 20.0, 20.0))


@odd
def boxes_without_area(data: Coco) -> None:
    for half in data:
        half.add(1, 1, (150.0, 100.0, 0.0, 20.0))
        half.add(2, 2, (150.0, 100.0, 20.0, 0.0))
        half.add(3, 3, (150.0, 100.0, -20.0, 10.0))


@odd
def the_same_box_twice(data: Coco) -> None:
    for half in data:
        first = half.annotations[1]
        half.add(first["image_id"], first["category_id"], tuple(first["bbox"]))
        half.add(first["image_id"], first["category_id"] % 3 + 1, tuple(first["bbox"]))


@painted
def sizes_from_5_pixels_to_the_whole_image(data: Coco) -> None:
    sides = (5.0, 12.0, 31.0, 32.0, 33.0, 60.0, 95.0, 96.0, 97.0, 140.0, 230.0)
    data.redraw([Picture((256, 240), [(n % 3, (4.0, 3.0, side, side))]) for n, side in enumerate(sides)])
    data.settings["image_size"] = (256, 240)


@painted
def nothing_but_small_boxes(data: Coco) -> None:
    boxes = [(n % 3, (20.0 * n, 30.0, 12.0 + n, 14.0)) for n in range(6)]
    data.redraw([Picture((192, 144), boxes) for _ in range(3)])


# ------------------------------------------------------------------------------------------------------------ images


@painted
def images_without_boxes(data: Coco) -> None:
    for half in data:
        half.drawn[1].objects.clear()
        half.annotations = [row for row in half.annotations if row["image_id"] != 2]


@painted
def images_below_32_pixels(data: Coco) -> None:
    sizes = [(120, 28), (28, 120), (31, 31), (32, 32), (120, 90), (90, 120)]
    data.redraw([Picture(size, [(n % 3, (4.0, 3.0, 20.0, 21.0))]) for n, size in enumerate(sizes)])


@painted
def images_below_a_side_of_100_pixels(data: Coco) -> None:
    images_below_32_pixels(data)
    data.settings["min_side"] = 90


@painted
def images_of_any_size(data: Coco) -> None:
    images_below_32_pixels(data)
    data.settings["min_side"] = 1


@painted
def one_image_alone(data: Coco) -> None:
    data.draw(1)


@painted
def images_of_many_sizes(data: Coco) -> None:
    sizes = [(190, 60), (50, 140), (77, 77), (191, 143), (640, 400)]
    data.redraw([random_pictures(n, 1, size)[0] if min(size) > 140 else tiny(n, size) for n, size in enumerate(sizes)])


@odd
def more_than_100_objects(data: Coco) -> None:
    crowded(data, 120)
    data.settings["max_detections"] = 150


@odd
def more_than_100_objects_at_the_usual_limit(data: Coco) -> None:
    crowded(data, 110)


@odd
def fewer_detections_than_objects_are_allowed(data: Coco) -> None:
    crowded(data, 12)
    data.settings["max_detections"] = 10


@painted
def grey_images(data: Coco) -> None:
    data.store(pictures.converted("L"))


@painted
def grey_images_of_16_bits(data: Coco) -> None:
    data.store(pictures.deep)


@painted
def palette_images(data: Coco) -> None:
    data.store(pictures.palette)


@painted
def images_with_alpha(data: Coco) -> None:
    data.store(pictures.converted("RGBA"))


@painted
def grey_images_with_alpha(data: Coco) -> None:
    data.store(pictures.converted("LA"))


@painted
def cmyk_images(data: Coco) -> None:
    data.store(pictures.cmyk)


@odd
def images_of_1_bit(data: Coco) -> None:
    data.store(pictures.converted("1"))


@painted
def images_turned_by_exif(data: Coco) -> None:
    for half in data:
        half.stores = {n: pictures.turned(orientation) for n, orientation in enumerate((3, 6, 8, 2, 5))}


@painted
def images_whose_exif_was_not_looked_at(data: Coco) -> None:
    for half in data:
        half.stores = {0: pictures.tag(6), 1: pictures.tag(8), 2: pictures.tag(5)}


# -------------------------------------------------------------------------------------------------------- file names


@painted
def file_names_of_screenshots(data: Coco) -> None:
    for half in data:
        half.rename([f"Screenshot at 9.{n}\u202fPM.png" for n in range(5)])


@painted
def file_names_with_wide_spaces(data: Coco) -> None:
    for half in data:
        half.rename([f"写真\u3000{n}\u00a0枚.png" for n in range(5)])


@painted
def file_names_end_in_capitals(data: Coco) -> None:
    for half in data:
        half.rename([f"{n}.PNG" for n in range(5)])


@painted
def file_names_of_windows(data: Coco) -> None:
    for half in data:
        half.rename([f"day/{n}.png" for n in range(5)], [f"day\\{n}.png" for n in range(5)])


@painted
def the_folder_is_repeated_in_file_names(data: Coco) -> None:
    for half in data:
        half.rename([f"{n}.png" for n in range(5)], [f"{half.name}/{n}.png" for n in range(5)])


@painted
def equal_names_in_two_folders(data: Coco) -> None:
    for half in data:
        half.rename([f"{n % 2}/{n // 2}.png" for n in range(5)])


@painted
def file_names_with_signs(data: Coco) -> None:
    for half in data:
        half.rename([f"a {n} #50%20?'\".v1.tar [x].png" for n in range(5)])


# ----------------------------------------------------------------------------------------------------------- helpers


def renumber_images(data: Coco, new: Any) -> None:
    for half in data:
        for image in half.images:
            image["id"] = new(image["id"])
        for row in half.annotations:
            row["image_id"] = new(row["image_id"])


def renumber_categories(half: CocoHalf, new: dict[int, Any]) -> None:
    for category in half.categories:
        category["id"] = new[category["id"]]
    for row in half.annotations:
        row["category_id"] = new[row["category_id"]]


def rename_classes(data: Coco, names: tuple[str, ...]) -> None:
    data.names = data.classes = names
    for half in data:
        for category, name in zip(half.categories, names, strict=True):
            category["name"] = name


def crowded(data: Coco, count: int) -> None:
    """Fill images with many equal boxes of one class, and one of another."""
    boxes = [(0, (9.0 * (n % 20), 9.0 * (n // 20), 7.0, 8.0)) for n in range(count)]
    data.redraw([Picture((192, 144), [*boxes, (1, (10.0, 80.0, 60.0, 40.0))]) for _ in "ab"])


def tiny(number: int, size: tuple[int, int]) -> Picture:
    return Picture(size, [(number % 3, (5.0, 6.0, 30.0, 41.0))])
