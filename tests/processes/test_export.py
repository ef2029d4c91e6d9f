"""Prove that an exported student is a plain mmdet detector that finds the same boxes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import Tensor

from tests.unit.trainers.tiny import TrainOnce, dataset, differing, state, trial
from trainers.compat import ops
from trainers.data.datasets import build_dataset
from trainers.data.loaders import evaluation_batches
from trainers.data.shapes import draw, scene
from trainers.detectors.detector import build_empty
from trainers.formats.weights import load_state, read_state_dict
from trainers.schema import CocoDataset, TrialSpec, class_count
from trainers.schema.plain_config import completed
from trainers.state.export import write_config

NAMES = ("circle", "square", "triangle")

# What a user's script does, in a process that cannot import Stillhouse. mmdet needs mmcv's operators, which a user has
# compiled; here the stand-in is loaded from its file, as no part of a package.
SCRIPT = """
import importlib.util, json, sys

spec = importlib.util.spec_from_file_location("operators_from_a_file", sys.argv[1])
operators = importlib.util.module_from_spec(spec)
spec.loader.exec_module(operators)
operators.install()

class NoStillhouse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("trainers", "orchestrator", "dashboards", "tests"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoStillhouse())
from mmdet.apis import inference_detector, init_detector

config, checkpoint, *images = sys.argv[2:]
detector = init_detector(config, checkpoint, device="cpu")
answers = []
for image in images:
    found = inference_detector(detector, image).pred_instances
    answers.append([found.bboxes.tolist(), found.scores.tolist(), found.labels.tolist()])
print(json.dumps({"classes": detector.dataset_meta["classes"], "answers": answers}))
"""


def found_by_us(spec: TrialSpec, checkpoint: Path) -> list[Any]:
    """Return boxes, scores and labels of each validation image, by the way that evaluation goes."""
    student = build_empty(spec.student, class_count(spec.dataset)).eval()
    assert load_state(student, read_state_dict(checkpoint)).share == 1.0
    answers = []
    for batch in evaluation_batches(build_dataset(spec.dataset, "val"), rank=0, world=1, batch_size=1):
        data = student.data_preprocessor(batch, False)
        with torch.no_grad():
            samples = student.predict(data["inputs"], data["data_samples"], rescale=True)
        answers += [(s.pred_instances.bboxes, s.pred_instances.scores, s.pred_instances.labels) for s in samples]
    return answers


def write_images(spec: TrialSpec, folder: Path) -> list[str]:
    """Write the validation images as files, as the dataset draws them."""
    paths = []
    for index in range(spec.dataset.val_images):
        path = folder / f"{index}.png"
        cv2.imwrite(str(path), build_dataset(spec.dataset, "val")[index]["inputs"].permute(1, 2, 0).numpy())
        paths.append(str(path))
    return paths


@pytest.fixture(scope="module")
def resized(train_once: TrainOnce) -> tuple[TrialSpec, Path]:
    """Train on images that are not what the network sees: the pipeline has something to do."""
    spec = trial(dataset=dataset(val_images=3))
    return spec, train_once(spec)


def test_a_checkpoint_fits_the_config_beside_it_strictly(train_once: TrainOnce, distilled: TrialSpec) -> None:
    directory = train_once(distilled)
    for name in ("best.pth", "last.pth"):
        plain = MODELS.build(Config.fromfile(directory / "config.py").model)
        plain.load_state_dict(state(directory / name), strict=True)
        assert differing(plain.state_dict(), state(directory / name)) == []


def test_mmdet_alone_finds_the_same_boxes(resized: tuple[TrialSpec, Path], tmp_path: Path) -> None:
    spec, directory = resized
    images = write_images(spec, tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = [ops.__file__, directory / "config.py", directory / "best.pth", *images]
    command = [sys.executable, "-W", "ignore", tmp_path / "script.py", *arguments]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["classes"] == list(NAMES)
    ours = found_by_us(spec, directory / "best.pth")
    assert len(answer["answers"]) == len(ours) == 3
    for theirs, (boxes, scores, labels) in zip(answer["answers"], ours, strict=True):
        assert len(boxes) >= 20
        assert_same_boxes(theirs, boxes, scores, labels)


def assert_same_boxes(theirs: list[Any], boxes: Tensor, scores: Tensor, labels: Tensor) -> None:
    torch.testing.assert_close(torch.tensor(theirs[1]), scores, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(torch.tensor(theirs[0]), boxes, rtol=1e-5, atol=1e-4)
    assert theirs[2] == labels.tolist()


def test_the_images_are_those_that_the_shapes_draw(tmp_path: Path) -> None:
    spec = trial(dataset=dataset(val_images=1))
    (path,) = write_images(spec, tmp_path)
    seed, split, index = 0, 1, 0
    shapes = scene(np.random.default_rng((seed, split, index, 0)), (64, 64), 3, spec.dataset.max_objects)
    drawn = draw(np.random.default_rng((seed, split, index, 1)), shapes, (64, 64), NAMES)
    assert np.array_equal(cv2.imread(path), drawn)


def test_the_config_names_no_path_and_nothing_of_ours(resized: tuple[TrialSpec, Path], tmp_path: Path) -> None:
    text = (resized[1] / "config.py").read_text()
    for word in ("Stillhouse", "trainers", "/tmp", str(resized[1]), "torchvision://"):
        assert word not in text
    coco = CocoDataset(kind="coco", root="/data/of/mine", classes=("cat",))
    write_config(trial(dataset=coco), tmp_path / "config.py")
    assert "/data/of/mine" not in (tmp_path / "config.py").read_text()


def test_the_config_describes_the_validation_data_of_a_coco_study(tmp_path: Path) -> None:
    coco = CocoDataset(kind="coco", root="/data/of/mine", classes=("cat", "dog"), image_size=(320, 240))
    write_config(trial(dataset=coco), tmp_path / "config.py")
    config = Config.fromfile(tmp_path / "config.py")
    data = config.test_dataloader.dataset
    assert (data.data_root, data.ann_file) == ("data", str(tmp_path / "val.json"))
    assert data.metainfo.classes == ("cat", "dog")
    assert config.model.bbox_head.num_classes == 2
    steps = ["LoadImageFromFile", "Resize", "LoadAnnotations", "PackDetInputs"]
    assert [step.type for step in config.test_pipeline] == steps
    assert config.test_pipeline[1].scale == (320, 240)


def test_a_config_of_an_earlier_release_is_completed(tmp_path: Path) -> None:
    """It was written by mmengine, and lacked metrics, a visualizer and boxes; what ``export`` writes is always the same."""
    spec = trial(dataset=CocoDataset(kind="coco", root="/data/of/mine", classes=("cat",)))
    write_config(spec, tmp_path / "config.py")
    whole = Config.fromfile(tmp_path / "config.py")
    steps = [step for step in whole.test_pipeline if step.type != "LoadAnnotations"]
    kept = {"model": whole.model, "train_pipeline": whole.train_pipeline, "test_pipeline": steps}
    Config({"default_scope": "mmdet", "classes": ("cat",), **kept}).dump(tmp_path / "old.py")
    (tmp_path / "new.py").write_text(completed(spec, tmp_path / "old.py"))
    assert Config.fromfile(tmp_path / "new.py").to_dict() == whole.to_dict()
    assert completed(spec, tmp_path / "config.py") == (tmp_path / "config.py").read_text()
