"""Read one file as the product does; each returns the sentence by which it refused, ``None`` where it could read."""

from functools import cache
from pathlib import Path

from orchestrator.core.findings import StudyErrors
from orchestrator.dataset_check.image_file import look_at
from orchestrator.study.load import load_study
from trainers.schema import CocoSplit, VocDataset, VocPart
from trainers.schema.annotations.coco import read_coco
from trainers.schema.annotations.voc import read_voc
from trainers.schema.annotations.yolo_names import NamesError, read_names
from trainers.schema.config_files import read_config
from trainers.schema.image_rule import PixelRule

CLASSES = ("cat", "dog")
SIZE = (64, 48)


def annotations(path: Path) -> str | None:
    """Read annotations in COCO's format, whose images are there."""
    for number in range(3):
        (path.parent / f"{number}.png").touch()
    found = read_coco(str(path.parent), [CocoSplit(annotations=path.name, images=".")], CLASSES, "val")
    return _first(found.notes)


def voc(path: Path) -> str | None:
    """Read an annotation file in Pascal VOC's format, whose image is there."""
    path.with_suffix(".jpg").touch()
    part = VocPart(folder=".", annotations=".", images=".", set=None)
    dataset = VocDataset(
        kind="voc", root=str(path.parent), train=(part,), val=(part,), classes=CLASSES, image_size=SIZE
    )
    return _first(read_voc(dataset, "val", CLASSES).notes)


def study(path: Path) -> str | None:
    """Read a study, or the class names or the config that one names."""
    if path.name.endswith(".names.yaml"):
        try:
            read_names(path)
        except NamesError as error:
            return str(error)
        return None
    if path.name.endswith((".config.yaml", ".json")):
        problems = read_config(path).problems
        return next((message for _, message in problems), None)
    try:
        load_study(path)
    except StudyErrors as errors:
        return str(errors).replace("\n", " | ")[:1500]
    return None


def image(path: Path) -> str | None:
    """Look at an image as ``data check`` does, header and pixels."""
    return look_at(path, PixelRule("auto", 16), SIZE, decode=True).problem


def checkpoint(path: Path) -> str | None:
    """Read a checkpoint as training does, and its classes as a plan does."""
    from trainers.errors import TrialError
    from trainers.formats.weights import read_weights
    from trainers.schema.checkpoint_classes import classes_in

    _one_thread()
    classes_in(path)
    try:
        read_weights(path)
    except TrialError as error:
        return str(error)
    return None


@cache
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _first(notes: object) -> str | None:
    stopping = getattr(notes, "stopping", None)
    return None if stopping is None else str(stopping)
