"""What is wrong with a dataset is found before training, each mistake as one clear finding and never a traceback."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from orchestrator.cli import main
from tests.unit.orchestrator.broken_data import coco, cut, edit, picture, put, voc
from tests.unit.trainers.voc_folder import xml
from trainers.schema.annotations.notes import MOST
from trainers.schema.zoo import configs_dir

Break = Callable[[Path], None]
Content = dict[str, Any]
IMAGE, XML, LIST = "images/train1.jpg", "Annotations/train1.xml", "ImageSets/Main/train.txt"


def check(file: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Content]:
    """Run the command and return exit code and JSON."""
    code = main(["data", "check", str(file), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("write", "ignored"), [(coco, 0), (voc, 1)])
@pytest.mark.parametrize("options", [(), ("--decode",)])
def test_a_right_dataset_is_counted(write: Any, ignored: int, options: Any, tmp_path: Path, capsys: Any) -> None:
    code, said = check(write(tmp_path), capsys, *options)
    assert (code, said["ok"], said["findings"]) == (0, True, [])
    train, val = said["splits"]
    used = {**train.pop("used"), "split": "val", "densest": val["used"]["densest"]}
    assert (used, {**train, "split": "val"}) == (val.pop("used"), val)
    assert (train["images"], train["without_boxes"], train["ignored"], train["other_boxes"]) == (2, 0, ignored, 0)
    assert train["by_class"] == {"cat": 2, "dog": 1 if write is coco else 2}


# --------------------------------------------------------------------------------------------------------- COCO files


def first(content: Content, what: str, **changes: Any) -> None:
    """Change the first image, annotation or category of a file; ``None`` takes a key away."""
    for key, value in changes.items():
        if value is None:
            content[what][0].pop(key)
        else:
            content[what][0][key] = value


def of(what: str, **changes: Any) -> Break:
    return edit(lambda content: first(content, what, **changes))


def raw(key: str, text: str) -> Break:
    """Return what writes text into an annotation that the JSON library would not."""

    def apply(root: Path) -> None:
        content = (root / "train.json").read_text()
        (root / "train.json").write_text(content.replace(key, text, 1))

    return apply


BOX = '"bbox": [1, 1, 9, 9]'
UNREADABLE = "unreadable annotation files"
COCO_CASES: list[tuple[str, Break, str, str]] = [
    ("no file", lambda root: (root / "train.json").unlink(), UNREADABLE, "No such file"),
    ("empty", put("train.json", b""), UNREADABLE, "train.json: is empty"),
    ("cut", cut("train.json", 0.5), UNREADABLE, "cannot be read as JSON"),
    ("UTF-16", put("train.json", "{}".encode("utf-16")), UNREADABLE, "is in UTF-16"),
    ("a list twice", raw('{"images": [', '{"images": [], "images": ['), UNREADABLE,
     "has an object with two values of 'images': keep one of them"),
    ("a box twice", raw(BOX, f'"bbox": [7, 7, 9, 9], {BOX}'), UNREADABLE, "has an object with the id 1 with two values of 'bbox'"),
    ("Latin-1", put("train.json", b'{"images": "\xe9"}'), UNREADABLE, "is not UTF-8: invalid continuation byte"),
    ("flipped bits", lambda root: flip(root / "train.json"), UNREADABLE, "is not UTF-8"),
    ("deep nesting", put("train.json", b"[" * 200_000), UNREADABLE, "is nested too deeply"),
    ("a number of 5000 digits", raw(BOX, f'"bbox": [{"9" * 5000}, 1, 9, 9]'), UNREADABLE, "has a number of 5000 digits: line 1 column"),
    ("a list", edit(lambda content: [content]), UNREADABLE, "instead of an object"),
    ("no annotations", edit(lambda content: content.pop("annotations") and None), UNREADABLE, "has no list of annot"),
    ("images as text", edit(lambda content: {**content, "images": "many"}), UNREADABLE, "images is no list"),
    ("an image as text", edit(lambda c: c["images"].append("one")), "images without id", "'one'"),
    ("an image without id", of("images", id=None), "images without id", "image at position 0: has no id"),
    ("an id as list", of("images", id=[1]), "images without id", "has the id [1], which is neither"),
    ("an image id twice", of("images", id=2), "duplicate image ids", "image 2: has the id of an earlier one"),
    ("an annotation id twice", of("annotations", id=2), "duplicate annotation ids", "annotation 2"),
    ("no file name", of("images", file_name=None), "images without file name", "image 1: has no file_name"),
    ("a number as file name", of("images", file_name=7), "images without file name", "has the file_name 7"),
    ("NUL in the file name", of("images", file_name="a\0b"), "images outside of the root", "'a\\x00b'"),
    ("a name that leads out", of("images", file_name="../../x.jpg"), "images outside of the root", "'../../x.jpg'"),
    ("an absolute name", of("images", file_name="/etc/hostname"), "images outside of the root", "'/etc/hostname'"),
    ("a terminal's escape", of("images", file_name="\x1b[2J.jpg"), "images outside of the root", "'\\x1b[2J.jpg'"),
    ("a file name too long", of("images", file_name="a" * 5000), "images outside of the root", "no file can have"),
    ("no width", of("images", width=None), "images without size", "image 1: has no width"),
    ("a height of text", of("images", height="48"), "images without size", "64 x '48'"),
    ("a negative width", of("images", width=-64), "images without size", "-64 x 48"),
    ("another size", of("images", width=65), "images of another size", "has 64 x 48 pixels, annotated are 65 x 48"),
    ("no box", of("annotations", bbox=None), "annotations without box", "annotation 1: has no bbox"),
    ("three numbers", of("annotations", bbox=[1, 2, 3]), "annotations without box", "[1, 2, 3] instead of four"),
    ("text in a box", of("annotations", bbox=[1, 2, 3, "4"]), "annotations without box", "'4'"),
    ("true in a box", of("annotations", bbox=[1, 2, 3, True]), "annotations without box", "True"),
    ("NaN", raw(BOX, '"bbox": [NaN, 1, 9, 9]'), "boxes that are no numbers", "annotation 1: has the corners (nan"),
    ("infinity", raw(BOX, '"bbox": [1, 1, 1e999, 9]'), "boxes that are no numbers", "inf"),
    ("a number of 400 digits", raw(BOX, f'"bbox": [{"9" * 400}, 1, 9, 9]'), "boxes that are no numbers", "inf"),
    ("no width of a box", of("annotations", bbox=[1, 1, 0, 9]), "boxes without area", "corners (1, 1, 1, 10)"),
    ("a negative box", of("annotations", bbox=[9, 9, -4, 4]), "boxes without area", "corners (9, 9, 5, 13)"),
    ("a box outside", of("annotations", bbox=[64, 1, 9, 9]), "boxes outside of their images", "image of 64 x 48"),
    ("an unclear iscrowd", of("annotations", iscrowd="no"), "annotations with an unclear iscrowd or ignore", "'no'"),
    ("an unclear ignore", of("annotations", ignore=2), "annotations with an unclear iscrowd or ignore", "ignore 2"),
    ("no category name", of("categories", name=None), "categories without name", "category 1: has no name"),
    ("an absent class", of("categories", name="Cat"), "unknown class names",
     "no box of train is called cat; its files have Cat (2): did you mean it?"),
    ("no box of a class", edit(lambda c: c["annotations"].pop(1) and None), "classes without boxes in train",
     "no box of class 'dog'"),
    ("nothing but small images", edit(lambda c: [image.update(width=31) for image in c["images"]] and None),
     "splits without images", "no image is left to train on (2 images and 3 boxes of the classes were read; left out: 2"),
    ("nothing but crowds", edit(lambda c: [item.update(iscrowd=1) for item in c["annotations"]] and None),
     "splits without boxes", "no box is left to learn"),
    ("nothing to evaluate", edit(lambda c: c["annotations"].clear(), "val.json"), "splits without boxes",
     "no box is left to evaluate on"),
    ("no image", edit(lambda content: {**content, "images": []}), "splits without images", "no image could be read"),
    ("a missing image", lambda root: (root / IMAGE).unlink(), "missing images", "train1.jpg does not exist"),
    ("an empty image", put(IMAGE, b""), "damaged images", "train1.jpg is empty"),
    ("text as image", put(IMAGE, b"hello"), "damaged images", "train1.jpg is no image"),
    ("a folder as image", lambda root: folder(root / IMAGE), "damaged images", "is a folder, not a file"),
    ("a cut header", lambda root: (root / IMAGE).write_bytes((root / IMAGE).read_bytes()[:30]) and None,
     "damaged images", "train1.jpg"),
    ("a huge image", lambda root: huge(root / IMAGE), "damaged images", "claims to be huge"),
    ("an image in both splits", edit(lambda c: first(c, "images", file_name="train1.jpg"), "val.json"),
     "images in both splits", "is trained on too"),
]  # fmt: skip


def without_an_end(root: Path) -> None:
    """Leave out an image's end mark, and nothing else."""
    (root / IMAGE).write_bytes((root / IMAGE).read_bytes().removesuffix(b"\xff\xd9") + bytes(9000))


def flip(path: Path) -> None:
    path.write_bytes(bytes(byte ^ 0x80 for byte in path.read_bytes()))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def huge(path: Path) -> None:
    """Write a JPEG file whose header claims 60000 x 60000 pixels."""
    content = bytearray(path.read_bytes())
    start = content.index(b"\xff\xc0") + 5
    content[start : start + 4] = (60_000).to_bytes(2, "big") * 2
    path.write_bytes(content)


@pytest.mark.parametrize(("spoil", "kind", "says"), [case[1:] for case in COCO_CASES], ids=[c[0] for c in COCO_CASES])
def test_a_mistake_in_a_coco_dataset_is_found(spoil: Break, kind: str, says: str, tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    spoil(tmp_path)
    code, said = check(file, capsys)
    assert (code, said["ok"]) == (2, False)
    assert said["counts"][kind] >= 1
    assert any(says in f"{f['where']}: {f['message']}" for f in said["findings"] if f["level"] == "error")


# ---------------------------------------------------------------------------------------------------------- VOC files

LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
BOMB = f'<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a0 "ha">{LAUGHS}]><annotation>&a9;</annotation>'
LEAK = '<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/hostname">]><annotation>&x;</annotation>'


def annotated(*objects: Any, **settings: Any) -> Break:
    return put(XML, xml(objects, **settings).encode())


VOC_CASES: list[tuple[str, Break, str, str]] = [
    ("no list", lambda root: (root / LIST).unlink(), UNREADABLE, "list of images: No such file"),
    ("an empty list", put(LIST, b"\n \n"), UNREADABLE, "names no image"),
    ("a list in UTF-16", put(LIST, "train1".encode("utf-16")), UNREADABLE, "cannot be read as a list"),
    ("a name twice", put(LIST, b"train1\ntrain1\n"), "duplicate image ids", "is listed 2 times"),
    ("a name with NUL", put(LIST, b"train1\na\0b\n"), "images outside of the root", "must stay below root"),
    ("a name that leads out", put(LIST, b"train1\n../x\n"), "images outside of the root", "must stay below root"),
    ("no XML file", lambda root: (root / XML).unlink(), "missing annotation files", "no annotation file"),
    ("a missing image", lambda root: (root / "JPEGImages/train1.jpg").unlink(), "missing images", "does not exist"),
    ("empty", put(XML, b""), UNREADABLE, "is not XML: no element found"),
    ("cut", cut(XML, 0.6), UNREADABLE, "is not XML"),
    ("flipped bits", lambda root: flip(root / XML), UNREADABLE, "is not XML"),
    ("a billion laughs", put(XML, BOMB.encode()), UNREADABLE, "declares a document type"),
    ("an external entity", put(XML, LEAK.encode()), UNREADABLE, "declares a document type"),
    ("an undefined entity", put(XML, b"<annotation>&x;</annotation>"), UNREADABLE, "undefined entity"),
    ("an unknown encoding", put(XML, b'<?xml version="1.0" encoding="klingon"?><annotation/>'), UNREADABLE, "encoding"),
    ("the wrong encoding", put(XML, '<?xml version="1.0" encoding="utf-8"?><annotation>é</annotation>'.encode("latin-1")),
     UNREADABLE, "not well-formed"),
    ("deep nesting", put(XML, b"<a>" * 100_000 + b"</a>" * 100_000), UNREADABLE, "instead of <annotation>"),
    ("another format", put(XML, b"<svg/>"), UNREADABLE, "begins with <svg>"),
    ("JSON", put(XML, b"{}"), UNREADABLE, "is not XML"),
    ("no name", annotated(("", (1, 1, 9, 9), 0)), UNREADABLE, "object 1 has no name"),
    ("no box", put(XML, b"<annotation><object><name>cat</name></object></annotation>"), UNREADABLE, "has no bndbox"),
    ("no corner", put(XML, b"<annotation><object><name>cat</name><bndbox/></object></annotation>"), UNREADABLE,
     "object 1 has no xmin"),
    ("text as corner", annotated(("cat", ("left", 1, 9, 9), 0)), UNREADABLE, "xmin is no number: 'left'"),
    ("text as size", annotated(size=("wide", 48)), UNREADABLE, "width is no number: 'wide'"),
    ("NaN", annotated(("cat", ("nan", 1, 9, 9), 0)), "boxes that are no numbers", "object 1: has the corners (nan"),
    ("a huge number", annotated(("cat", (1, 1, "1e400", 9), 0)), "boxes that are no numbers", "inf"),
    ("a grade", annotated(("cat", (1, 1, 9, 9), 2)), UNREADABLE, "object 1: difficult is '2', not 0 or 1"),
    ("no area", annotated(("cat", (9, 9, 9, 20), 0)), "boxes without area", "object 1: has no area"),
    ("a box outside", annotated(("cat", (70, 9, 90, 20), 0)), "boxes outside of their images", "lies outside"),
    ("another size", annotated(size=(640, 480)), "images of another size", "annotated are 640 x 480"),
    ("a missing image", lambda root: (root / "JPEGImages/train1.jpg").unlink(), "missing images", "does not exist"),
    ("no such class", lambda root: rename(root), "unknown class names", "no box is called bird; the files have"),
]  # fmt: skip


def rename(root: Path) -> None:
    file = root / "data.yaml"
    file.write_text(file.read_text().replace("[cat, dog]", "[cat, bird]"))


@pytest.mark.parametrize(("spoil", "kind", "says"), [case[1:] for case in VOC_CASES], ids=[c[0] for c in VOC_CASES])
def test_a_mistake_in_a_voc_dataset_is_found(spoil: Break, kind: str, says: str, tmp_path: Path, capsys: Any) -> None:
    file = voc(tmp_path)
    spoil(tmp_path)
    code, said = check(file, capsys)
    assert (code, said["ok"]) == (2, False)
    assert said["counts"][kind] >= 1
    assert any(says in f"{f['where']}: {f['message']}" for f in said["findings"] if f["level"] == "error")


# ----------------------------------------------------------------------------------------------------------- warnings


def stray(**changes: Any) -> Break:
    """Return what adds an annotation that refers to nothing."""
    return edit(lambda c: c["annotations"].append({**c["annotations"][0], "id": 9, **changes}))


def as_corners(content: Content) -> None:
    for entry in content["annotations"]:
        entry["bbox"] = [20, 9, 60, 40]


def second_id(content: Content) -> None:
    content["images"].append({**content["images"][0], "id": 3})
    content["annotations"].append({**content["annotations"][0], "id": 9, "image_id": 3})


def second_spelling(content: Content) -> None:
    content["categories"].append({"id": 3, "name": "Cat"})
    content["annotations"].append({**content["annotations"][0], "id": 9, "category_id": 3})


@pytest.mark.parametrize(("width", "told"), [(4.0001, False), (4.05, False), (4.2, True)])
def test_a_rounding_at_the_edge_is_no_finding(width: float, told: bool, tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    of("annotations", bbox=[60, 1, width, 9])(tmp_path)
    assert ("boxes partly outside of their images" in check(file, capsys)[1]["counts"]) is told


@pytest.mark.parametrize(
    ("write", "spoil", "kind", "says"),
    [
        (coco, stray(image_id=77), "annotations of unknown images", "image_id 77"),
        (coco, stray(image_id=None), "annotations of unknown images", "has no image_id"),
        (coco, stray(image_id=[1]), "annotations of unknown images", "image_id [1]"),
        (coco, stray(category_id=9), "annotations of unknown categories", "category_id 9"),
        (coco, of("annotations", bbox=[60, 1, 9, 9]), "boxes partly outside of their images", "reaches out"),
        (coco, edit(lambda c: c["annotations"].pop(0) and None), "training images without boxes", "1 of 2 images"),
        (coco, edit(lambda c: c["annotations"].pop(1) and None, "val.json"), "classes without boxes in val", "'dog'"),
        (coco, of("annotations", area=None), "annotations without area", "has no area: it follows from the box, 81"),
        (coco, of("annotations", area=0), "annotations without area", "has the area 0: it follows from the box, 81"),
        (coco, of("annotations", area="81"), "annotations without area", "has the area '81'"),
        (coco, of("annotations", bbox=[1, 1, 9, 0.5]), "boxes below a pixel", "has a side below a pixel"),
        (coco, edit(lambda c: c["categories"].append({"id": 3, "name": "cat"})), "categories that share a name", "one"),
        (coco, edit(as_corners), "files that seem to give corners", "3 of 3 boxes"),
        (coco, edit(second_id), "images that share a file", "as image 1 has"),
        (
            coco,
            edit(second_spelling),
            "classes in several spellings",
            "train: 1 box is called 'Cat'; the study asks for 'cat' (2)",
        ),
        (voc, annotated(("cat", (1, 1, 9, 9), 0), ("Cat", (1, 1, 9, 9), 0)), "classes in several spellings", "'Cat'"),
        (voc, annotated(("cat", (1, 1, 9, 9), 0), ("bird", (1, 1, 9, 9), 0)), "objects of other names", "bird (1)"),
        (voc, annotated(("cat", (1, 1, 99, 9), 0)), "boxes partly outside of their images", "(0, 0, 98, 8)"),
        (voc, annotated(("cat", (0, 1, 9, 9), 0)), "objects with a corner at 0", "write first_pixel: 0"),
        (voc, annotated(("cat", (1, 1, 9, 9), 0), size=None), "images without size", "gives no size"),
        (coco, without_an_end, "suspicious images", "has no end mark"),
    ],
)
def test_what_may_be_meant_is_a_warning(
    write: Any, spoil: Break, kind: str, says: str, tmp_path: Path, capsys: Any
) -> None:
    file = write(tmp_path)
    spoil(tmp_path)
    code, said = check(file, capsys)
    assert (code, said["ok"], list(said["counts"])) == (0, True, [kind])
    assert [says in f["message"] for f in said["findings"]] == [True]
    assert said["findings"][0]["level"] == "warning"


def test_equal_names_in_other_folders_are_a_warning(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    picture(tmp_path / "images" / "more" / "train1.jpg", 77)
    of_val = edit(lambda c: first(c, "images", file_name="more/train1.jpg"), "val.json")
    of_val(tmp_path)
    assert check(file, capsys)[1]["counts"] == {"names in both splits": 1}


# ------------------------------------------------------------------------------------------------------------- pixels


def test_images_that_are_cut_off_are_errors(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    cut(IMAGE, 0.5)(tmp_path)
    for options in ((), ("--decode",)):
        code, said = check(file, capsys, *options)
        assert (code, said["counts"]) == (2, {"damaged images": 1})
        assert "truncated" in said["findings"][0]["message"]


@pytest.mark.parametrize(
    ("duplicate", "kind", "code"), [("val2", "contents in both splits", 2), ("train2", "equal images in a split", 0)]
)
def test_decoding_finds_equal_contents(duplicate: str, kind: str, code: int, tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    shutil.copy(tmp_path / IMAGE, tmp_path / "images" / f"{duplicate}.jpg")
    assert check(file, capsys)[1]["counts"] == {}
    found, said = check(file, capsys, "--decode")
    assert (found, said["counts"]) == (code, {kind: 1})


def test_decoding_does_not_tell_one_file_under_two_ids_again(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    edit(lambda c: first(c, "images", file_name="train2.jpg"))(tmp_path)
    assert check(file, capsys, "--decode")[1]["counts"] == {"images that share a file": 1}


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_damaged_pixels_never_end_in_a_traceback(suffix: str, tmp_path: Path, capsys: Any) -> None:
    """Each byte in turn of a small image is changed; what the check says is read as JSON or the test fails."""
    file = coco(tmp_path)
    Image.effect_noise((16, 12), 30).save(tmp_path / "images" / f"small{suffix}")
    content = (tmp_path / "images" / f"small{suffix}").read_bytes()
    edit(lambda c: first(c, "images", file_name=f"small{suffix}", width=16, height=12))(tmp_path)
    for position in range(0, len(content), 7):
        changed = content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]
        (tmp_path / "images" / f"small{suffix}").write_bytes(changed)
        code, _ = check(file, capsys, "--decode")
        assert code in (0, 2)


@pytest.mark.parametrize(
    ("orientation", "size", "code"),
    [(6, (48, 64), 0), (6, (64, 48), 0), (6, (64, 50), 2), (3, (64, 48), 0), (3, (48, 64), 2)],
)
def test_size_is_that_of_the_image_as_stored_or_as_turned(
    orientation: int, size: tuple[int, int], code: int, tmp_path: Path, capsys: Any
) -> None:
    file = coco(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.effect_noise((64, 48), 30).save(tmp_path / IMAGE, exif=exif)
    of("images", width=size[0], height=size[1])(tmp_path)
    assert check(file, capsys)[0] == code


@pytest.mark.parametrize(
    "content", [b"train1 -1\ntrain2  1\n", b"train1.jpg\r\ntrain2.jpg\r\n", b"\xef\xbb\xbftrain1\n\ntrain2"]
)
def test_lists_may_be_written_by_any_tool(content: bytes, tmp_path: Path, capsys: Any) -> None:
    file = voc(tmp_path)
    put(LIST, content)(tmp_path)
    code, said = check(file, capsys)
    assert (code, said["findings"]) == (0, [])
    assert said["splits"][0]["images"] == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("D:\\data\\{}", "images outside of the root"),
        ("/home/me/{}", "images outside of the root"),
        ("gone/{}", "missing images"),
    ],
)
def test_a_mistake_in_every_file_name_is_told_once(name: str, kind: str, tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    edit(lambda c: [image.update(file_name=name.format(image["file_name"])) for image in c["images"]] and None)(
        tmp_path
    )
    code, said = check(file, capsys)
    assert (code, said["counts"][kind]) == (2, 1)
    assert next(found["message"] for found in said["findings"]).endswith("(and 1 more)")


@pytest.mark.parametrize(("write", "folder"), [(coco, "images"), (voc, "JPEGImages")])
def test_the_folder_that_has_the_images_is_named_once(write: Any, folder: str, tmp_path: Path, capsys: Any) -> None:
    file = write(tmp_path)
    (tmp_path / folder).rename(tmp_path / "photos")
    code, said = check(file, capsys)
    assert (code, said["counts"]) == (2, {"missing images": 2})
    ends = [f["message"].partition("does not exist")[2] for f in said["findings"]]
    assert ends == [f" (the folder 'photos' has '{split}1.jpg') (and 1 more)" for split in ("train", "val")]


def each(what: str, **changes: Any) -> Break:
    """Return what changes all images or categories of a file; ``None`` takes a key away."""

    def apply(content: Content) -> None:
        for entry in content[what]:
            entry |= {key: value(entry) for key, value in changes.items()}
            [entry.pop(key) for key in changes if entry[key] is None]

    return edit(apply)


@pytest.mark.parametrize(
    ("spoil", "counts"),
    [
        (each("images", file_name=lambda image: f"C:\\data\\{image['file_name']}"), {"images outside of the root": 1}),
        (each("images", file_name=lambda image: f"../../{image['file_name']}"), {"images outside of the root": 1}),
        (of("images", file_name="https://x/y.jpg"), {"images outside of the root": 1}),
        (each("images", file_name=lambda image: None), {"images without file name": 2}),
        (each("images", id=lambda image: None), {"images without id": 2}),
        (each("categories", name=lambda category: None), {"categories without name": 2}),
        (of("categories", name=None), {"categories without name": 1}),
        (of("categories", id=None), {"categories without id": 1}),
    ],
)
def test_what_follows_from_a_mistake_is_not_told(
    spoil: Break, counts: dict[str, int], tmp_path: Path, capsys: Any
) -> None:
    file = coco(tmp_path)
    spoil(tmp_path)
    assert check(file, capsys)[1]["counts"] == counts


# -------------------------------------------------------------------------------------------------------- the command


def test_a_mistake_made_often_is_told_twenty_times(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)

    def many(content: Content) -> None:
        box = content["annotations"][0]
        content["annotations"] += [{**box, "id": 100 + n, "bbox": [1, 1, 0, 1]} for n in range(MOST + 5)]

    edit(many)(tmp_path)
    assert main(["data", "check", str(file)]) == 2
    output = capsys.readouterr()
    lines = output.err.splitlines()
    assert len(lines) == MOST + 1
    assert lines[0] == f"{tmp_path / 'train.json'}: annotation 100: has no area: corners (1, 1, 1, 2)"
    assert lines[-1] == "boxes without area: 5 more"
    assert output.out.splitlines() == [
        "train: 2 images (0 without boxes), 28 boxes: cat 27, dog 1",
        "train: 3 boxes in 2 images are learned; left out: 25 boxes without area",
        "val: 2 images (0 without boxes), 3 boxes: cat 2, dog 1",
    ]


def test_of_a_study_only_the_dataset_counts(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    file.write_text(f"name: [wrong]\nteacher: {{kind: nonsense}}\n{file.read_text()}")
    assert check(file, capsys)[0] == 0


def test_mistakes_in_the_section_are_told_with_their_line(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    file.write_text(file.read_text().replace("kind: coco", "kind: cocoa"))
    assert main(["data", "check", str(file)]) == 2
    assert f"{file}:2: dataset.kind" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [("name: x\n", "has no section dataset"), ("dataset: [", "data.yaml:1"), ("- 1\n", "data.yaml")],
)
def test_files_without_a_dataset_are_refused(text: str, says: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "data.yaml").write_text(text)
    assert main(["data", "check", str(tmp_path / "data.yaml")]) == 2
    assert says in capsys.readouterr().err


def test_a_missing_root_is_one_message(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    assert main(["data", "check", str(file), "--set", f"dataset.root={tmp_path / 'gone'}"]) == 2
    assert capsys.readouterr().err == f"--set dataset.root: no such folder: {tmp_path / 'gone'}\n"
    file.write_text(file.read_text().replace("root: .", "root: gone"))
    assert main(["data", "check", str(file)]) == 2
    assert capsys.readouterr().err == f"{file}:3: dataset.root: no such folder: {tmp_path / 'gone'}\n"


def test_findings_about_a_key_are_told_with_its_line(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    rename(tmp_path)
    assert [finding["where"] for finding in check(file, capsys)[1]["findings"]] == [f"{file}:4: dataset.classes"]


def test_annotations_may_begin_with_a_byte_order_mark(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    for split in ("train", "val"):
        path = tmp_path / f"{split}.json"
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    said = check(file, capsys)[1]
    assert (said["findings"], [split["boxes"] for split in said["splits"]]) == ([], [3, 3])


def test_a_key_that_is_repeated_with_the_same_value_is_read(tmp_path: Path, capsys: Any) -> None:
    file = coco(tmp_path)
    raw(BOX, f"{BOX}, {BOX}")(tmp_path)
    assert check(file, capsys)[1]["findings"] == []


def test_shapes_need_no_check(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "data.yaml").write_text("dataset: {kind: shapes}\n")
    assert main(["data", "check", str(tmp_path / "data.yaml")]) == 0
    assert "nothing to check" in capsys.readouterr().out


@pytest.mark.skipif("STILLHOUSE_DATA" not in os.environ, reason="BCCD is not under $STILLHOUSE_DATA")
def test_bccds_json_is_clean_and_its_xml_has_two_boxes_without_area(capsys: Any) -> None:
    code, said = check(configs_dir() / "studies" / "bccd.yaml", capsys)
    assert (code, said["findings"]) == (0, [])
    code, said = check(configs_dir() / "datasets" / "bccd_voc.yaml", capsys)
    assert (code, said["counts"]) == (2, {"boxes without area": 2})


def test_shipped_dataset_sections_are_right(capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STILLHOUSE_DATA", str(tmp_path))
    files = sorted((configs_dir() / "datasets").glob("*.yaml"))
    assert files
    for file in files:
        assert main(["data", "check", str(file)]) == 2
        assert "no such folder" in capsys.readouterr().err
