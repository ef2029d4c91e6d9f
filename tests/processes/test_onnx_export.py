"""Prove that a student in an ONNX file finds the boxes that mmdet finds, and that its reader needs no torch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.trainers.tiny import dataset, detector, trial
from tests.unit.trainers.tiny_heads import config_of, predictors, woken
from trainers.errors import TrialError
from trainers.onnx_export.reader import OnnxDetector
from trainers.onnx_export.write import write
from trainers.schema import class_names
from trainers.schema.heads import find_head
from trainers.schema.onnx import MODEL, READER, OnnxJob
from trainers.schema.predictions import Subject
from trainers.schema.record import BEST, CONFIG
from trainers.state.export import student_checkpoint, write_config

pytestmark = pytest.mark.long
PIPELINES: dict[str, dict[str, Any]] = {
    "gfl": {"image_size": (160, 96)},
    "atss": {"image_size": (96, 96), "pad_to_square": True},
    "fcos": {"image_size": (160, 96), "max_detections": 300},
    "retinanet": {"image_size": (144, 96), "keep_ratio": False},
    "yolox": {"image_size": (96, 96), "pad_to_square": True},
    "rtmdet": {"image_size": (160, 96)},
}
SIZES = {"landscape": (64, 96), "portrait": (97, 61), "a row": (1, 60), "larger": (241, 323), "square": (96, 96)}
CALIBRATION = [(96, 160), (160, 96), (60, 96), (95, 96), (64, 160), (96, 120)]

# The reader in a process that has numpy, onnxruntime and OpenCV, and nothing else that was not asked for.
SCRIPT = """
import json, sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Nothing())
sys.path.insert(0, sys.argv[2])
import detect

detector = detect.OnnxDetector(sys.argv[2] + "/student.onnx")
boxes, scores, labels = detector(detector.read(sys.argv[3]))
print(json.dumps([boxes.tolist(), scores.tolist(), labels.tolist(), detector.classes]))
"""
BLOCKED = "torch,torchvision,mmdet,mmengine,mmcv,trainers,orchestrator,tests,ray,mlflow,onnx"


def spread(name: str) -> Any:
    """Return a student whose outputs differ from place to place: logits by 4 at most, the others by 2."""
    student = woken(config_of(name), seed=1)
    for layer in student.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # its statistics become those of the images below
    images = [mmcv.imrescale(picture(*size), (96, 96)) for size in (*SIZES.values(), *CALIBRATION)]
    squares = [mmcv.impad(image, shape=(96, 96), pad_val=114) for image in images]
    pixels = [torch.from_numpy(image).permute(2, 0, 1) for image in squares]
    batch = student.data_preprocessor({"inputs": pixels, "data_samples": None})["inputs"]
    with torch.no_grad():
        student.bbox_head(student.train().extract_feat(batch))
        furthest = distances(student.bbox_head, student.eval().extract_feat(batch))
        for layer in classifiers(student.bbox_head):
            layer.bias.fill_(-1.0)
        for layer, most in furthest.items():
            if len(layer.bias) == 1:  # objectness and centerness: scores are products with them
                layer.bias.fill_(1.0)
            layer.weight.mul_((4.0 if layer in classifiers(student.bbox_head) else 2.0) / most)
    return student


def distances(head: Any, features: Any) -> dict[nn.Conv2d, float]:
    """Return how far the outputs of the head's last convolutions lie from their biases at most."""
    found: dict[nn.Conv2d, float] = {}

    def watch(layer: nn.Conv2d, _inputs: Any, outputs: torch.Tensor) -> None:
        away = (outputs - layer.bias[:, None, None]).abs().max().item()
        found[layer] = max(away, found.get(layer, 0.0))

    hooks = [layer.register_forward_hook(watch) for layer in predictors(head)]
    head(features)
    for hook in hooks:
        hook.remove()
    return found


def classifiers(head: Any) -> list[nn.Conv2d]:
    """Return the layers whose rows are classes."""
    name = find_head(type(head).__name__).classifier
    return [part for key, part in head.named_modules() if key.startswith(name) and isinstance(part, nn.Conv2d)]


def written(name: str, folder: Path, **changes: Any) -> Path:
    """Write a student of this head for mmdet and as ONNX."""
    spec = trial(dataset=dataset(**changes), student=detector(config=str(config_of(name))))
    torch.save(student_checkpoint(spread(name), spec, {}), folder / BEST)
    write_config(spec, folder / CONFIG)
    subject = Subject(id="abc", name="none", spec=spec, checkpoint=str(folder / BEST))
    write(OnnxJob(subject=subject, directory=str(folder)))
    return folder


IN_CI = ("gfl", "fcos", "yolox")  # a head of each kind: boxes from anchors, from points, with objectness


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in IN_CI else pytest.mark.slow) for name in PIPELINES],
)
def head(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(request.param, tmp_path_factory.mktemp(request.param), **PIPELINES[request.param])


def picture(height: int, width: int) -> Any:
    """Return an image of coloured rectangles and noise, BGR."""
    rng = np.random.default_rng(height + width)
    image = np.full((height, width, 3), 120, np.uint8)
    for _ in range(8):
        x, y = rng.integers(0, width), rng.integers(0, height)
        cv2.rectangle(
            image, (int(x), int(y)), (int(x + width / 4), int(y + height / 4)), rng.integers(0, 256, 3).tolist(), -1
        )
    return np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)


def by_mmdet(folder: Path, images: list[Any]) -> list[Any]:
    """Return mmdet's boxes, scores and labels."""
    from mmdet.apis import inference_detector, init_detector

    model = init_detector(str(folder / CONFIG), str(folder / BEST), device="cpu")
    found = [inference_detector(model, image).pred_instances.numpy() for image in images]
    return [(one.bboxes, one.scores, one.labels) for one in found]


def overlaps(mine: Any, theirs: Any) -> Any:
    """Return the IoU (N, M) of boxes in float64; boxes that are equal to a hundredth of a pixel have 1, even without area."""
    first, second = np.asarray(mine, np.float64)[:, None], np.asarray(theirs, np.float64)[None]
    sides = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    shared = sides.clip(0).prod(-1)
    union = sum((box[..., 2:] - box[..., :2]).prod(-1) for box in (first, second)) - shared
    equal = np.abs(first - second).max(-1, initial=0.0) < 0.01
    return np.where(equal, 1.0, shared / np.maximum(union, 1e-12))


def unmatched(mine: Any, theirs: Any) -> int:
    """Return how many of mmdet's detections have none of equal label, with IoU over 0.99 and a score within 1e-3."""
    near = np.abs(np.subtract.outer(mine[1], theirs[1])) < 1e-3
    same = np.equal.outer(mine[2], theirs[2]) & near & (overlaps(mine[0], theirs[0]) > 0.99)
    return int((~same.any(axis=0)).sum())


def test_onnxruntime_finds_what_mmdet_finds(head: Path) -> None:
    images = [picture(*size) for size in SIZES.values()]
    reader = OnnxDetector(head / MODEL)
    assert reader.classes == ["circle", "square", "triangle"]
    many = 0
    for name, image, theirs in zip(SIZES, images, by_mmdet(head, images), strict=True):
        mine = reader(image[:, :, ::-1])
        many += len(theirs[1]) > 20
        assert len(mine[1]) == len(theirs[1]), name
        assert unmatched(mine, theirs) == 0, name
    assert many >= 3


def test_the_file_names_no_file_of_this_machine(head: Path) -> None:
    """The exporter of torch notes at each node the lines of Python that it comes from."""
    content = (head / MODEL).read_bytes()
    assert b"score_threshold" in content
    for trace in (b".py", str(Path(__file__).parents[2]).encode(), str(Path(torch.__file__).parents[1]).encode()):
        assert trace not in content


def test_the_reader_runs_without_torch_and_mmdet(tmp_path: Path) -> None:
    folder = written("fcos", tmp_path, image_size=(96, 96))
    cv2.imwrite(str(tmp_path / "image.png"), picture(70, 50))
    command = [sys.executable, "-I", "-c", SCRIPT, BLOCKED, str(folder), str(tmp_path / "image.png")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    *found, classes = json.loads(done.stdout)
    [expected] = by_mmdet(folder, [picture(70, 50)])
    assert len(found[1]) == len(expected[1]) > 20
    assert unmatched([np.array(part) for part in found], expected) == 0
    assert classes == list(class_names(dataset()))
    shown = [sys.executable, folder / READER, tmp_path / "image.png", "--above", "0.5"]
    line = json.loads(subprocess.run(shown, capture_output=True, text=True, check=True).stdout)
    assert len(line["detections"]) == sum(score >= 0.5 for score in found[1])


def test_a_detector_that_onnx_cannot_express_leaves_no_file(tmp_path: Path) -> None:
    spec = trial(dataset=dataset(), student=detector(config=str(config_of("vfnet"))))
    subject = Subject(id="abc", name="none", spec=spec, checkpoint=str(tmp_path / BEST))
    with pytest.raises(TrialError, match="trial abc cannot be written as ONNX: VFNetHead has deformable convolutions"):
        write(OnnxJob(subject=subject, directory=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []
