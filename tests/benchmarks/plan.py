"""Time the plan of a large VOC data set against the least that it takes: starting the command and reading each file once."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.figure import Measured, Setting
from tests.benchmarks.pairs import interleave, median
from tests.unit.trainers.voc_folder import Object, write_part, xml
from trainers.schema import VocPart

ROOT = Path(__file__).resolve().parents[2]
IMAGES = 10_000
SPLITS = {"train": range(8000), "val": range(8000, IMAGES)}
STUDY = """
name: planned
dataset: {{kind: {dataset}}}
student: {{config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}
method: {{kind: none}}
schedule: {{epochs: 12}}
"""
VOC = "voc, root: data, classes: [cat, dog, bird], train: [{folder: ., set: train}], val: [{folder: ., set: val}]"
PLAINLY = """
import hashlib, pathlib, sys
from xml.etree import ElementTree
for path in pathlib.Path(sys.argv[1]).iterdir():
    content = path.read_bytes()
    hashlib.sha256(content)
    ElementTree.fromstring(content)
"""


def against_reading(setting: Setting) -> Measured:
    """Plan a study of a VOC data set; and one that has no files, then read the same XML files by a plain loop."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_data(place / "data")
        for name, dataset in (("voc", VOC), ("shapes", "shapes")):
            (place / f"{name}.yaml").write_text(STUDY.format(dataset=dataset))
        found = interleave(
            lambda: plan(place / "voc.yaml"),
            lambda: start_and_read(place),
            setting.pairs,
            setting.clock,
        )
    ours, theirs = (median(times) for times in (found.ours, found.theirs))
    note = f"{IMAGES} images of 3 objects, {ours:.2f} s and {theirs:.2f} s, {len(found.ours)} pairs"
    return Measured(found.ratios, note)


def write_data(root: Path) -> None:
    """Write a folder in VOC's layout, with one image under all names."""
    for split, numbers in SPLITS.items():
        names = [f"{number:06}" for number in numbers]
        write_part(root, VocPart(folder=".", set=split), {names[0]: xml(objects(numbers[0]))})
        (root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(names))
        for number, name in zip(numbers[1:], names[1:], strict=True):
            (root / "Annotations" / f"{name}.xml").write_text(xml(objects(number)))
            os.link(root / "JPEGImages" / f"{names[0]}.jpg", root / "JPEGImages" / f"{name}.jpg")


def objects(number: int) -> list[Object]:
    """Return three objects that are different in each file."""
    left = number % 30
    return [(name, (left, 7, left + 20 + number % 7, 40), 0) for name in ("cat", "dog", "bird")]


def plan(study: Path) -> None:
    """Plan a study by the command."""
    python("-m", "orchestrator.cli", "plan", str(study), "--store", str(study.parent / "store"))


def start_and_read(place: Path) -> None:
    """Start the command for a study without files, and read the XML files by a plain loop."""
    plan(place / "shapes.yaml")
    python("-c", PLAINLY, str(place / "data" / "Annotations"))


def python(*arguments: str) -> None:
    """Run Python in a process of its own."""
    subprocess.run([sys.executable, *arguments], check=True, cwd=ROOT, capture_output=True)
