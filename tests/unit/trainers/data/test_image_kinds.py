"""Every kind of image file gives the same pixels to training, evaluation, `predict` and `data check`, or is refused by all."""

import io
import json
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image, ImageOps

from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.image_file import look_at
from orchestrator.dataset_check.images import check_images
from orchestrator.dataset_check.split import CheckedImage as Annotated
from orchestrator.dataset_check.split import Split
from tests.unit.trainers.coco_folder import write_coco_folder
from tests.unit.trainers.image_kinds import (
    FULL_DEPTH,
    HEIGHT,
    REFUSED,
    TRANSPARENT,
    USUAL,
    WIDTH,
    colours,
    deep,
    opencv,
    pillow,
    turned,
    with_alpha,
)
from trainers.data.datasets import build_dataset
from trainers.errors import TrialError
from trainers.predictions.picture import keep_picture
from trainers.schema import CocoDataset
from trainers.schema.image_header import read_header
from trainers.schema.image_pixels import pixels_of
from trainers.schema.image_rule import ImageError, PixelRule
from trainers.schema.predictions import Limits

SIZE = (WIDTH, HEIGHT)
PLAIN = PixelRule()


@pytest.fixture(autouse=True)
def _no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare each dataset the half second in which mmengine collects the garbage of the whole process."""
    monkeypatch.setattr("gc.collect", lambda *_: 0)


def dataset_of(root: Path, *files: tuple[str, bytes], size: tuple[int, int] = SIZE, **settings: Any) -> CocoDataset:
    """Write a dataset whose images are these files, all annotated with one size."""
    spec = write_coco_folder(root, sizes=[size] * len(files))
    content = json.loads((root / "annotations.json").read_text())
    for image, (name, written) in zip(content["images"], files, strict=True):
        (root / "images" / image["file_name"]).unlink()
        (root / "images" / (image["file_name"] + name)).write_bytes(written)
        image["file_name"] += name
    (root / "annotations.json").write_text(json.dumps(content))
    return CocoDataset.model_validate({**spec.model_dump(), **settings})


def seen(spec: CocoDataset, split: str, place: int = 0) -> Any:
    """Return the pixels that the first step of a split's pipeline hands to the next."""
    data = build_dataset(spec, split)
    return data.pipeline.transforms[0].transform(dict(data.get_data_info(place)))["img"]


def checked(spec: CocoDataset, *, decode: bool = False) -> Findings:
    """Return what `data check` finds in the images of a split."""
    content = json.loads((Path(spec.root) / "annotations.json").read_text())
    images = {
        image["id"]: Annotated(Path(spec.root) / "images" / image["file_name"], (image["width"], image["height"]), "x")
        for image in content["images"]
    }
    findings = Findings()
    check_images(Split("train", images), spec.pixel_rule, findings, decode=decode, advance=lambda: None)
    return findings


# ------------------------------------------------------------------------------------------------- kinds that are used


@pytest.mark.parametrize("name", [*USUAL, *TRANSPARENT])
def test_pixels_of_usual_kinds_are_mmdets_own(name: str, tmp_path: Path) -> None:
    content = (USUAL | TRANSPARENT)[name]()
    spec = dataset_of(tmp_path / "x", (name, content))
    (tmp_path / name).write_bytes(content)
    expected = mmcv.imread(str(tmp_path / name))
    assert expected.shape == (HEIGHT, WIDTH, 3)
    for split in ("train", "val"):
        pixels = seen(spec, split)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, expected)
    for decode in (False, True):
        assert not checked(spec, decode=decode).has_errors


@pytest.mark.parametrize("name", FULL_DEPTH)
def test_sixteen_bits_that_fill_their_range_need_no_word(name: str, tmp_path: Path) -> None:
    content = FULL_DEPTH[name]()
    spec = dataset_of(tmp_path / "x", (name, content))
    (tmp_path / name).write_bytes(content)
    assert np.array_equal(seen(spec, "train"), mmcv.imread(str(tmp_path / name)))
    assert not checked(spec, decode=True).counts


def test_predict_shows_what_the_detector_sees(tmp_path: Path) -> None:
    spec = dataset_of(tmp_path / "x", (".png", opencv(deep(12), ".png")), bit_depth=12)
    data = build_dataset(spec, "val")
    (tmp_path / "images").mkdir()
    picture = keep_picture(data, 0, Limits(), tmp_path)
    shown = cv2.imread(str(tmp_path / "images" / f"{picture.key}.jpg"))
    assert np.abs(shown.astype(int) - seen(spec, "val").astype(int)).mean() < 3  # JPEG's own loss
    assert abs(shown.mean() - colours()[:, :, 0].mean()) < 3


# ------------------------------------------------------------------------------------------------------------- 16 bits


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_values_of_any_depth_are_seen_in_full_brightness(bits: int, tmp_path: Path) -> None:
    spec = dataset_of(tmp_path, (".png", opencv(deep(bits), ".png")), bit_depth=bits)
    expected = np.repeat(colours()[:, :, :1], 3, axis=2)
    assert np.array_equal(seen(spec, "train"), expected)
    assert np.array_equal(seen(spec, "val"), expected)
    assert not checked(spec, decode=True).counts


def test_values_beyond_the_depth_are_white(tmp_path: Path) -> None:
    spec = dataset_of(tmp_path, (".png", opencv(np.full((HEIGHT, WIDTH), 5000, np.uint16), ".png")), bit_depth=12)
    assert (seen(spec, "train") == 255).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_that_would_be_black_are_refused_by_all_in_one_sentence(suffix: str, tmp_path: Path) -> None:
    spec = dataset_of(tmp_path, *[(suffix, opencv(deep(12), suffix))] * 3)
    words = r"reach only 4032 of 65535 would be nearly black: set dataset\.bit_depth .*\(12\?\)"
    for split in ("train", "val"):
        with pytest.raises(TrialError, match=words):
            build_dataset(spec, split)
    found = [finding for finding in checked(spec).listed() if finding.level == "error"]
    assert len(found) == 1
    with pytest.raises(TrialError, match="reach only 4032"):
        raise TrialError(found[0].message)


def test_a_dark_image_among_bright_ones_keeps_its_darkness(tmp_path: Path) -> None:
    files = [(".png", opencv(deep(16), ".png")), (".png", opencv(deep(16) // 64, ".png"))]
    spec = dataset_of(tmp_path, *files)
    assert np.array_equal(seen(spec, "train", 1), np.repeat(colours()[:, :, :1] // 64, 3, axis=2))


def test_sixteen_bits_behind_many_others_are_not_guessed_at(tmp_path: Path) -> None:
    spec = dataset_of(tmp_path, *[(".png", USUAL["rgb.png"]())] * 16, (".png", opencv(deep(16), ".png")))
    with pytest.raises(TrialError, match=r"16\.png\.png holds 16 bits a channel: set dataset\.bit_depth"):
        seen(spec, "train", 16)
    assert checked(spec).counts == {"damaged images": 1}
    assert seen(spec.model_copy(update={"bit_depth": 16}), "train", 16).mean() > 100


# ---------------------------------------------------------------------------------------------------------------- EXIF


def stored_and_shown(content: bytes) -> tuple[Any, Any]:
    """Return an image's pixels before and after it is turned, by OpenCV and by Pillow's own arithmetic."""
    stored = pixels_of(content, PixelRule("ignore"))
    image = Image.fromarray(stored)
    exif = image.getexif()
    exif[0x0112] = Image.open(io.BytesIO(content)).getexif()[0x0112]
    return stored, np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_annotated_size_tells_what_boxes_belong_to(orientation: int, kind: str, tmp_path: Path) -> None:
    content = turned(orientation, kind)
    stored, shown = stored_and_shown(content)
    exchanged = orientation > 4
    for size in [SIZE, SIZE[::-1]] if exchanged else [SIZE]:
        folder = tmp_path / f"{size[0]}"
        spec = dataset_of(folder, (".img", content), size=size)
        expected = stored if exchanged and size == SIZE else shown
        assert np.array_equal(seen(spec, "train"), expected)
        assert np.array_equal(seen(spec, "val"), expected)
        for decode in (False, True):
            counts = checked(spec, decode=decode).counts
            assert counts == ({"images turned by EXIF": 1} if orientation in (2, 3, 4) else {})


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_the_user_may_say_what_boxes_belong_to(orientation: int, tmp_path: Path) -> None:
    content = turned(orientation, size=(WIDTH, WIDTH))  # a square: its size says nothing
    stored, shown = stored_and_shown(content)
    expected = {"auto": shown, "apply": shown, "ignore": stored}
    for exif, pixels in expected.items():
        spec = dataset_of(tmp_path / exif, (".jpg", content), size=(WIDTH, WIDTH), exif=exif)
        assert np.array_equal(seen(spec, "train"), pixels)
        assert checked(spec).counts == ({"images turned by EXIF": 1} if exif == "auto" else {})


def test_a_size_that_fits_neither_is_told_and_changes_nothing(tmp_path: Path) -> None:
    content = turned(6)
    spec = dataset_of(tmp_path, (".jpg", content), size=(100, 100))
    assert np.array_equal(seen(spec, "train"), stored_and_shown(content)[1])
    assert "images of another size" in checked(spec).counts


def test_many_turned_images_are_told_once(tmp_path: Path) -> None:
    spec = dataset_of(tmp_path, *[(".jpg", turned(3))] * 30)
    found = list(checked(spec).listed())
    assert len(found) == 1
    assert found[0].message.startswith("30 images are turned by EXIF")


# ------------------------------------------------------------------------------------------------------- transparency


@pytest.mark.parametrize("name", TRANSPARENT)
def test_transparent_pixels_are_told(name: str, tmp_path: Path) -> None:
    assert checked(dataset_of(tmp_path, (name, TRANSPARENT[name]()))).counts == {"transparent images": 1}


def test_opaque_images_with_an_alpha_channel_are_nothing_to_tell(tmp_path: Path) -> None:
    content = pillow(with_alpha("RGBA", least=255), "PNG")
    assert not checked(dataset_of(tmp_path, (".png", content))).counts


# ------------------------------------------------------------------------------------------------- kinds that are none


@pytest.mark.parametrize("name", REFUSED)
def test_the_check_refuses_what_training_refuses_in_the_same_words(name: str, tmp_path: Path) -> None:
    content, words = REFUSED[name][0](), REFUSED[name][1]
    spec = dataset_of(tmp_path, (name, content))
    with pytest.raises(TrialError) as caught:
        seen(spec, "train")
    path = tmp_path / "images" / f"0.png{name}"
    said = look_at(path, PLAIN, SIZE, decode=True).problem
    assert said is not None
    assert words in said
    assert str(caught.value) == f"image {path} {said}"
    assert look_at(path, PLAIN, SIZE, decode=False).problem == said


@pytest.mark.parametrize(
    ("side", "most", "allowed"), [(20, "400", True), (20, "399", False), (14_000, "200000000", True)]
)
def test_one_variable_says_how_many_pixels_an_image_may_have(
    side: int, most: str, allowed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow's own limit, below 14,000 x 14,000, was one that nobody could raise."""
    monkeypatch.setenv("OPENCV_IO_MAX_IMAGE_PIXELS", most)
    Image.new("1", (side, side)).save(tmp_path / "large.png")
    if allowed:
        assert read_header(tmp_path / "large.png").stored == (side, side)
    else:
        with pytest.raises(ImageError, match="20 x 20 pixels, more than 399 in all; cut it into tiles, or set the env"):
            read_header(tmp_path / "large.png")


# ------------------------------------------------------------------------------------------------------------ identity


def test_settings_that_change_no_pixel_change_no_identity(tmp_path: Path) -> None:
    spec = CocoDataset(kind="coco", root="x")
    same = [spec.model_copy(update=one) for one in ({"exif": "auto"}, {"bit_depth": None}, {"bit_depth": 16})]
    assert {str(one.identity()) for one in same} == {str(spec.identity())}
    others = [spec.model_copy(update=one) for one in ({"exif": "ignore"}, {"exif": "apply"}, {"bit_depth": 12})]
    assert len({str(one.identity()) for one in (spec, *others)}) == 4
