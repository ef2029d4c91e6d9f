"""Images, annotations and checkpoints from strangers: each ends in one sentence or is read as data; nothing is executed."""

import copy
import json
import pickle
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.voc_folder import SOME, write_voc_folder, xml
from trainers.data.datasets import build_dataset
from trainers.data.loaders import SeededDataset
from trainers.errors import TrialError
from trainers.formats.weights import load_state, read_weights
from trainers.schema import DatasetSpec

SECRET = "root:hunter2"
JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


def png(width: int, height: int) -> bytes:
    """Return a PNG file that says it is this large, whatever it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


IMAGES: dict[str, bytes] = {
    "empty": b"",
    "text": b"hello",
    "zeros": bytes(500),
    "jpeg-cut": JPEG[: len(JPEG) // 2],
    "jpeg-header": JPEG[:20],
    "png-header": png(64, 48)[:30],
    "png-without-pixels": png(64, 48),
    "png-of-no-size": png(0, 0),
    "png-of-a-billion-pixels": png(30_000, 30_000),
    "png-of-more": png(2**31 - 1, 2**31 - 1),
    "pgm-of-a-billion-pixels": b"P5 99999999 99999999 255\n",
    "pfm-of-a-billion-pixels": b"PF\n99999999 99999999\n-1\n",
    "hdr": b"#?RADIANCE\n\n-Y 99999999 +X 99999999\n",
    "gif": b"GIF89a" + b"\xff" * 50,
    "bmp": b"BM" + b"\xff" * 100,
    "tiff": b"II*\0" + b"\xff" * 100,
    "exr": b"\x76\x2f\x31\x01" + b"\xff" * 100,
    "webp": b"RIFF\xff\xff\xff\xffWEBPVP8 " + b"\xff" * 99,
    "jpeg-2000": b"\0\0\0\x0cjP  \r\n\x87\n" + b"\xff" * 99,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pickle": pickle.dumps({"a": 1}),
    "nearly-a-line": cv2.imencode(".png", np.zeros((2, 900, 3), np.uint8))[1].tobytes(),
}


@pytest.mark.parametrize("content", IMAGES.values(), ids=IMAGES.keys())
def test_an_image_that_is_none_is_named(content: bytes, tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path, sizes=[(64, 48)])
    (tmp_path / "images" / "0.png").write_bytes(content)
    with pytest.raises(TrialError, match=r"images/0\.png") as caught:
        first_item(spec)
    assert_is_a_sentence(caught.value)


Change = Callable[[dict[str, Any]], Any]


def put(*path: Any, value: Any) -> Change:
    """Return a change of one place of an annotation file."""

    def change(content: dict[str, Any]) -> None:
        holder: Any = content
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value

    return change


REFUSED: dict[str, Change] = {
    "blank": lambda _: " ",
    "cut": lambda content: json.dumps(content)[:-20],
    "deep": lambda _: "[" * 200_000,
    "null": lambda _: "null",
    "text": lambda _: '"x"',
    "number": lambda _: "7",
    **{f"{key}-{value!r}": put(key, value=value) for key in ("images", "annotations", "categories") for value in (None, 7, [7], [None], [{}])},
    "no-images": lambda content: json.dumps({key: content[key] for key in ("annotations", "categories")}),
    "image-without-name": put("images", 0, value={"id": 0, "width": 64, "height": 48}),
    "image-name-7": put("images", 0, "file_name", value=7),
    "image-name-null": put("images", 0, "file_name", value=None),
    "image-name-list": put("images", 0, "file_name", value=["0.png"]),
    "width-text": put("images", 0, "width", value="wide"),
    "box-text": put("annotations", 0, "bbox", value=["a"] * 4),
    "box-short": put("annotations", 0, "bbox", value=[1, 2]),
    "box-null": put("annotations", 0, "bbox", value=None),
    "box-nan": put("annotations", 0, "bbox", value=[float("nan")] * 4),
    "crowd-text": put("annotations", 0, "iscrowd", value="yes"),
    "same-category-twice": put("categories", 0, "name", value="dog"),
}  # fmt: skip
OUTSIDE = ["../../secret", "/etc/passwd", "../secret.png", "a\0b", "\ud800", "a\x1b[31mb"]


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED.keys())
def test_annotations_that_are_none_are_named(change: Change, tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path / "x", sizes=[(64, 48)])
    damage(tmp_path / "x" / "annotations.json", change)
    with pytest.raises(TrialError, match=r"annotations\.json") as caught:
        first_item(spec)
    assert_is_a_sentence(caught.value)


@pytest.mark.parametrize("name", OUTSIDE, ids=ascii)
def test_annotations_do_not_lead_out_of_the_dataset(name: str, tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path / "x", sizes=[(64, 48)])
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret.png").write_bytes((tmp_path / "x" / "images" / "0.png").read_bytes())
    damage(
        tmp_path / "x" / "annotations.json",
        put("images", 0, "file_name", value=f"../{name}" if "secret" in name else name),
    )
    refused = "does not lie below the dataset's root|is the path on one machine|holds control characters"
    with pytest.raises(TrialError, match=refused) as caught:
        first_item(spec)
    assert_is_a_sentence(caught.value)


def test_annotations_may_name_another_folder_of_the_dataset(tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path, sizes=[(64, 48)])
    (tmp_path / "images" / "0.png").rename(tmp_path / "elsewhere.png")
    damage(tmp_path / "annotations.json", put("images", 0, "file_name", value="../elsewhere.png"))
    assert first_item(spec)["inputs"].shape[0] == 3


@pytest.mark.parametrize(
    "change",
    [
        put("annotations", 0, "bbox", value=[-5, -5, -5, -5]),
        put("annotations", 0, "image_id", value=77),
        put("annotations", 0, "category_id", value=77),
    ],
    ids=["negative", "no-such-image", "no-such-category"],
)
def test_a_box_that_is_none_is_left_out(change: Change, tmp_path: Path) -> None:
    spec = write_coco_folder(tmp_path, sizes=[(64, 48), (64, 48)])
    damage(tmp_path / "annotations.json", change)
    dataset = build_dataset(spec, "train")
    assert sum(len(dataset.get_data_info(index)["instances"]) for index in range(len(dataset))) == 1


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{f"&{last};" * 10}">' for last, name in zip("abcdefgh", "bcdefghi", strict=True)
)
XMLS: dict[str, str] = {
    "empty": "",
    "text": "hello",
    "cut": xml(SOME)[:-40],
    "html": "<html><body/></html>",
    "entity-bomb": f"{ENTITIES}]><annotation><filename>&i;</filename></annotation>",
    "external-entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation><filename>&e;</filename></annotation>',
    "external-dtd": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><annotation/>',
    "unknown-entity": "<annotation>&x;</annotation>",
    "unknown-encoding": '<?xml version="1.0" encoding="x-user"?><annotation/>',
    "nan-box": xml((("cat", (float("nan"), 1, 2, 3), 0),)),
    "infinite-box": xml((("cat", (0, 1, float("inf"), 3), 0),)),
    "text-box": xml(SOME).replace("<xmin>5", "<xmin>five"),
    "no-box": "<annotation><object><name>cat</name></object></annotation>",
    "no-name": "<annotation><object><bndbox/></object></annotation>",
    "infinite-size": xml(SOME).replace("<width>64", "<width>1e400"),
    "deep": "<annotation>" + "<a>" * 100_000,
    "nul": "<annotation>\0</annotation>",
    "bad-utf-8": "<annotation>\udcff</annotation>",
}


@pytest.mark.parametrize("text", XMLS.values(), ids=XMLS.keys())
def test_xml_that_is_no_annotation_is_named(text: str, tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path, count=1)
    (tmp_path / "VOC2007" / "Annotations" / "000000.xml").write_bytes(text.encode("utf-8", "surrogateescape"))
    began = time.monotonic()
    with pytest.raises(TrialError, match=r"000000\.xml") as caught:
        first_item(spec)
    assert_is_a_sentence(caught.value)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("name", ["../../../secret", "/etc/passwd", "a\x1b[31m"])
def test_a_list_of_images_does_not_lead_out_of_the_dataset(name: str, tmp_path: Path) -> None:
    spec = write_voc_folder(tmp_path / "x", count=1)
    (tmp_path / "x" / "VOC2007" / "ImageSets" / "Main" / "trainval.txt").write_text(f"{name}\n")
    (tmp_path / "secret.xml").write_text(xml(SOME))
    with pytest.raises(TrialError, match="must stay below root") as caught:
        first_item(spec)
    assert_is_a_sentence(caught.value)


# Checkpoints beyond the hostile and damaged ones of test_unpickle.py and test_weights.py: those that would cost much.


def test_a_tensor_that_looks_huge_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "huge.pth"
    torch.save({"weight": torch.zeros(1).expand(10**6, 10**6), "bias": torch.ones(2)}, path)
    model = torch.nn.Linear(2, 2)
    coverage = load_state(model, read_weights(path).state)
    assert [odd.there for odd in coverage.misshapen] == [(10**6, 10**6)]
    assert model.bias.tolist() == [1.0, 1.0]


def test_compressed_records_are_refused(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.pth", tmp_path / "packed.pth"
    torch.save({"weight": torch.zeros(10**6)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert packed.stat().st_size < plain.stat().st_size / 100
    with pytest.raises(TrialError, match=r"packed\.pth is damaged") as caught:
        read_weights(packed)
    assert_is_a_sentence(caught.value)


def test_records_that_overlap_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlap.pth"
    torch.save({"weight": torch.zeros(10**5)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        [record] = [item for item in archive.infolist() if item.filename.endswith("/data/0")]
        for number in range(1, 100):  # names in the archive's index only, all for the same bytes
            archive.filelist.append(copy.copy(record))
            archive.filelist[-1].filename = f"{record.filename[:-1]}{number}"
        archive.writestr("last", "")
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) > 100
    with pytest.raises(TrialError, match=r"overlap\.pth is damaged.*overlap"):
        read_weights(path)


@pytest.mark.parametrize("depth", [50, 100_000])
def test_a_checkpoint_that_is_nested_without_end_ends(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "nested.pth"
    shared = pickle.PROTO + b"\x02]" + b"".join(b"q\x01]h\x01ah\x01a" for _ in range(depth)) + b"."
    path.write_bytes(b"".join(pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})) + shared + pickle.dumps([], 2))  # fmt: skip
    began = time.monotonic()
    with pytest.raises(TrialError, match=r"nested\.pth") as caught:
        read_weights(path)
    assert_is_a_sentence(caught.value)
    assert time.monotonic() - began < 10


def first_item(spec: DatasetSpec) -> Any:
    """Read the first image of the training split with its boxes, as training does."""
    return SeededDataset(build_dataset(spec, "train"), seed=0)[0, 0]


def damage(path: Path, change: Change) -> None:
    """Change an annotation file in place, or replace it by the text that ``change`` returns."""
    content = json.loads(path.read_text())
    text = change(content)
    path.write_text(text if isinstance(text, str) else json.dumps(content))


def assert_is_a_sentence(error: TrialError) -> None:
    assert str(error).isprintable()
    assert len(str(error)) < 600
