"""Make students whose AP says something, and run mmdet's own scripts on their exports."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmdet
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image

from orchestrator.reports.plain_files import write_plain_files
from tests.unit.trainers.tiny import detector, job, sgd, trial
from tests.unit.trainers.voc_folder import xml
from trainers.data.datasets import build_dataset
from trainers.detectors.detector import build_empty
from trainers.loop.loop import train_alone
from trainers.schema import TrialSpec, Weights
from trainers.schema.dataset import FileDataset
from trainers.schema.record import BEST, read_history

PLAIN = Path(__file__).with_name("plain_mmdet.py")
PACKAGES = sysconfig.get_paths()["purelib"]
TOOLS = Path(mmdet.__file__).parent / ".mim" / "tools"
SIZES = ((64, 64), (96, 72), (50, 80), (80, 60))  # width, height
NAMES = ("cat", "dog", "eel")
ORIENTATION, UPRIGHT, CLOCKWISE = 0x0112, 1, 6  # the EXIF tag, and how an image is turned to be shown
EVERY, SLIP = 6, 1.2  # each how manieth detection is an object, and by how many pixels it is elsewhere

Found = list[tuple[int, list[float]]]  # labels, and corners in pixels


@dataclass(frozen=True)
class Shipped:
    """Hold a trial, its directory and the folder of its export."""

    spec: TrialSpec
    directory: Path
    folder: Path

    @property
    def metrics(self) -> dict[str, float]:
        """Return the metrics that the trial has recorded."""
        return read_history(self.directory)[-1].metrics

    @property
    def root(self) -> str:
        """Return the folder in which the names of images begin."""
        assert not isinstance(self.spec.dataset, str)
        return str(self.spec.dataset.root)  # type: ignore[union-attr]  # file data sets only


def write_images(folder: Path) -> list[Path]:
    """Write noise, with a few plain patches, in sizes of all kinds; the second image lies on its side, as EXIF says."""
    folder.mkdir(parents=True)
    rng, paths = np.random.default_rng(3), []
    for number, (width, height) in enumerate(SIZES):
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        for _ in range(6):
            x, y = rng.integers(0, width - 16), rng.integers(0, height - 16)
            pixels[y : y + 16, x : x + 16] = rng.integers(0, 256, 3)
        paths.append(folder / f"{number}.jpg")
        picture, exif = Image.fromarray(np.rot90(pixels) if number == 1 else pixels), Image.Exif()
        exif[ORIENTATION] = CLOCKWISE if number == 1 else UPRIGHT
        picture.save(paths[-1], exif=exif)
    return paths


def student_file(path: Path) -> Path:
    """Write a checkpoint of an untrained student whose scores differ between classes and places."""
    model = build_empty(detector(), len(NAMES), seed=7)
    with torch.no_grad():
        torch.nn.init.normal_(model.bbox_head.gfl_cls.weight, std=0.4, generator=torch.Generator().manual_seed(1))
        model.bbox_head.gfl_cls.bias.zero_()
    torch.save({"state_dict": model.state_dict()}, path)
    return path


def detections(dataset: FileDataset, checkpoint: Path) -> list[Found]:
    """Return the student's detections in each validation image, best first."""
    model = build_empty(detector(), len(NAMES)).eval()
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    found = []
    for item in build_dataset(dataset, "val"):
        data = model.data_preprocessor(pseudo_collate([item]), False)
        with torch.no_grad():
            [sample] = model.predict(data["inputs"], data["data_samples"], rescale=True)
        instances = sample.pred_instances
        found.append(list(zip(instances.labels.tolist(), instances.bboxes.tolist(), strict=True)))
    return found


def objects_near(found: Found, size: tuple[int, int], rng: np.random.Generator) -> Found:
    """Return some of the detections as objects, moved a little, in whole pixels of the image: AP is between 0 and 1."""
    objects = []
    for label, corners in found[::EVERY]:
        moved = np.array(corners) + rng.normal(0, SLIP, 4)
        x1, y1, x2, y2 = np.clip(moved.round(), 1, (*size, *size)).tolist()
        if x2 - x1 >= 2 and y2 - y1 >= 2:
            objects.append((label, [x1, y1, x2, y2]))
    return objects


def ship(dataset: FileDataset, checkpoint: Path, folder: Path) -> Shipped:
    """Let a trial evaluate the student as it is, and export it."""
    spec = trial(dataset=dataset, init=Weights(path=str(checkpoint)), schedule=sgd(iterations=0))
    directory, target = folder / "trial", folder / "export"
    for path in (directory, target):
        path.mkdir()
    train_alone(job(spec, directory))
    assert (directory / BEST).is_file()
    write_plain_files(spec, directory, target)
    return Shipped(spec, directory, target)


def in_plain_mmdet(script: Path, *arguments: object, cwd: Path) -> str:
    """Run a script where Stillhouse cannot be imported, and return its output; raise ``AssertionError`` when it fails."""
    cwd.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-I", "-S", "-W", "ignore", PLAIN, PACKAGES, script, *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def tool_metrics(shipped: Shipped, cwd: Path, *more: str) -> dict[str, float]:
    """Return the metrics that mmdet's own tools/test.py writes."""
    files = (shipped.folder / "config.py", shipped.folder / "student.pth")
    options = (f"test_dataloader.dataset.data_root={shipped.root}", *more)
    in_plain_mmdet(TOOLS / "test.py", *files, "--work-dir", cwd / "work", "--cfg-options", *options, cwd=cwd)
    [written] = (cwd / "work").glob("*/*.json")
    content: dict[str, float] = json.loads(written.read_text())
    return content


def coco_content(paths: Sequence[Path], objects: Sequence[Found], ids: dict[int, int]) -> dict[str, Any]:
    """Return a file in COCO's form: annotation ids from 0, classes by ``ids`` in falling order, the last object a crowd."""
    boxes = [(image, *item) for image, found in enumerate(objects) for item in found]
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": ids[label],
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": int(number == len(boxes) - 1),
        }
        for number, (image, label, (x1, y1, x2, y2)) in enumerate(boxes)
    ]
    sizes = [dict(zip(("width", "height"), size, strict=True)) for size in SIZES]
    images = [{"id": n, "file_name": p.name, **size} for n, (p, size) in enumerate(zip(paths, sizes, strict=True))]
    categories = [{"id": ids[label], "name": NAMES[label]} for label in reversed(range(len(NAMES)))]
    return {"images": images, "annotations": annotations, "categories": categories}


def voc_files(root: Path, objects: Sequence[Found]) -> None:
    """Write annotations and the list ``val`` in VOC's form; the last object of the first image is difficult."""
    names = [str(number) for number in range(len(SIZES))]
    for name in ("Annotations", "ImageSets/Main"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "ImageSets" / "Main" / "val.txt").write_text("\n".join(names) + "\n")
    for name, found, size in zip(names, objects, SIZES, strict=True):
        hard = len(found) - 1 if name == "0" else -1
        named = [
            (NAMES[label], tuple(side + 1 for side in box), int(n == hard)) for n, (label, box) in enumerate(found)
        ]
        (root / "Annotations" / f"{name}.xml").write_text(xml(named, size, f"{name}.jpg"))  # type: ignore[arg-type]


def yolo_files(folder: Path, objects: Sequence[Found]) -> None:
    """Write a label file for each image, as shares of its sides."""
    for number, (found, (width, height)) in enumerate(zip(objects, SIZES, strict=True)):
        lines = [
            f"{label} {(x1 + x2) / 2 / width} {(y1 + y2) / 2 / height} {(x2 - x1) / width} {(y2 - y1) / height}"
            for label, (x1, y1, x2, y2) in found
        ]
        (folder / f"{number}.txt").write_text("".join(f"{line}\n" for line in lines))
