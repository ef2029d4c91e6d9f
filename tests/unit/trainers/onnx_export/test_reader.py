"""The reader prepares images as mmdet's pipeline does, by numpy alone."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import mmcv
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from trainers.onnx_export import reader
from trainers.onnx_export.reader import OnnxDetector, read, resize

SIDES = st.integers(1, 90)


def pixels(height: int, width: int) -> Any:
    return np.random.default_rng(height * 1000 + width).integers(0, 256, (height, width, 3), np.uint8)


def described(**settings: Any) -> OnnxDetector:
    """Return a reader whose file says ``settings``, without a file."""
    detector = OnnxDetector.__new__(OnnxDetector)
    detector.settings = {"size": [160, 96], "keep_ratio": True, "pad_to_square": None, "upright": True, **settings}
    return detector


@settings(max_examples=examples(200), deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_an_image_is_resized_to_the_values_of_opencv(height: int, width: int, new_height: int, new_width: int) -> None:
    image = pixels(height, width)
    expected = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(resize(image, new_width, new_height), expected)


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([(160, 96), (96, 160), (1333, 800), (64, 64)]))
def test_the_size_is_the_one_that_mmcv_computes(width: int, height: int, size: tuple[int, int]) -> None:
    expected = mmcv.rescale_size((width, height), size)
    if 0 in expected:  # mmcv asks OpenCV for an image without pixels, and fails
        expected = tuple(max(1, side) for side in expected)
    assert described(size=list(size)).size(width, height) == expected
    assert described(size=list(size), keep_ratio=False).size(width, height) == size


def test_an_image_is_padded_to_a_square_where_training_padded() -> None:
    image = pixels(48, 160)
    square = described(pad_to_square=114).prepared(image)
    assert square.shape == (160, 160, 3)
    assert np.array_equal(square[:48], image)
    assert (square[48:] == 114).all()


@pytest.mark.parametrize("library", ["cv2", "Pillow"])
def test_a_file_is_read_as_rgb_and_upright(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    if library == "Pillow":
        monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    image = np.zeros((2, 3, 3), np.uint8)
    image[0, 0] = (255, 10, 0)
    path = tmp_path / "turned.png"
    turned = Image.fromarray(image)
    orientation = Image.Exif()
    orientation[0x0112] = 3  # upside down
    turned.save(path, exif=orientation)
    assert read(path, upright=False)[0, 0].tolist() == [255, 10, 0]
    assert read(path, upright=True)[1, 2].tolist() == [255, 10, 0]
    (tmp_path / "no.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"no\.png is no image"):
        read(tmp_path / "no.png", upright=True)


def test_boxes_are_scaled_to_the_image_and_clipped_where_that_is_wanted() -> None:
    detector = described(size=[64, 64])
    boxes = np.array([[-8, 0, 32, 32]], np.float32)
    found = (boxes, np.array([0.5], np.float32), np.array([1]))
    detector._session = SimpleNamespace(run=lambda outputs, inputs: found)
    image = pixels(32, 128)
    assert detector(image)[0].tolist() == [[-16, 0, 64, 64]]
    assert detector(image, clip=True)[0].tolist() == [[0, 0, 64, 32]]


@pytest.fixture
def detect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return the reader as a command, with a detector of one box in place of a file's."""
    detector = described(size=[64, 64])
    detector.classes = ["bolt", "nut"]
    boxes = np.array([[1.1, 2.2, 33.3, 30.7]], np.float32)
    detector._session = SimpleNamespace(run=lambda *_: (boxes, np.array([0.5], np.float32), np.array([1])))
    monkeypatch.setattr(reader, "OnnxDetector", lambda _: detector)

    def command(*words: object) -> None:
        monkeypatch.setattr("sys.argv", ["detect.py", *map(str, words)])
        reader.main()

    return command


def test_boxes_are_printed_to_a_tenth_of_a_pixel(
    detect: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a photo.png"), pixels(64, 64))
    detect(tmp_path / "a photo.png")
    assert '"detections": [{"class": "nut", "score": 0.5, "box": [1.1, 2.2, 33.3, 30.7]}]' in capsys.readouterr().out


def test_each_image_has_its_line_and_boxes_below_the_limit_have_none(
    detect: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), pixels(64, 64))
    names = [str(tmp_path / name) for name in ("b.png", "c.png", "a.png")]
    for limit, boxes in (("0.5", 1), ("0.51", 0)):
        detect(*names, "--above", limit)
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(line["image"], len(line["detections"])) for line in lines] == [(name, boxes) for name in names]


@pytest.mark.parametrize("library", ["cv2", "Pillow"])
def test_a_file_that_is_no_image_ends_the_command_in_one_line(
    library: str,
    detect: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if library == "Pillow":
        monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    (tmp_path / "notes.txt").write_text("no image")
    for name in ("notes.txt", "absent.jpg"):
        with pytest.raises(SystemExit) as ended:
            detect(tmp_path / name)
        assert ended.value.code == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("detect.py: ")
        assert name in line


def test_the_reader_imports_numpy_and_onnxruntime_alone() -> None:
    import ast

    tree = ast.parse(Path(reader.__file__).read_text())
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert names == {"argparse", "json", "pathlib", "typing", "numpy", "onnxruntime", "cv2", "PIL"}
