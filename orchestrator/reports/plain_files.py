"""Write a trained student as files of mmdet's own."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import OperationError
from trainers.schema import DatasetSpec, ShapesDataset, TrialSpec
from trainers.schema.annotations.as_coco import UnreadableSplit, read_as_coco
from trainers.schema.dataset import SplitName, splits_of
from trainers.schema.plain_config import TEST, VAL, completed
from trainers.schema.record import BEST, CONFIG

STUDENT = "student.pth"
ANNOTATIONS: Mapping[SplitName, str] = {"val": VAL, "test": TEST}


@dataclass(frozen=True)
class PlainFiles:
    """Name the annotation files that were written, by split, and say why others were not."""

    annotations: dict[str, str]
    lacking: tuple[str, ...]


def names_of(dataset: DatasetSpec) -> tuple[str, ...]:
    """Return the names of all files that an export of a student on this dataset may consist of."""
    return (CONFIG, STUDENT, *(ANNOTATIONS[split] for split in _splits(dataset)))


def write_plain_files(trial: TrialSpec, source: Path, target: Path) -> PlainFiles:
    """Write config, student and the annotations of the splits that measure it into ``target``.

    ``source`` holds the trial's ``config.py`` and ``best.pth``. Raises ``OperationError`` when the config is damaged.
    """
    try:
        text = completed(trial, source / CONFIG)
    except ValueError as error:
        raise OperationError(f"{source / CONFIG} {error}") from error
    (target / CONFIG).write_text(text, encoding="utf-8")
    shutil.copyfile(source / BEST, target / STUDENT)
    return _write_annotations(trial.dataset, target)


def _splits(dataset: DatasetSpec) -> tuple[SplitName, ...]:
    """Return the splits that measure: drawn images have no files."""
    return () if isinstance(dataset, ShapesDataset) else splits_of(dataset)[1:]


def _write_annotations(dataset: DatasetSpec, target: Path) -> PlainFiles:
    written: dict[str, str] = {}
    lacking: list[str] = []
    if isinstance(dataset, ShapesDataset):
        return PlainFiles(written, ())
    for split in _splits(dataset):
        try:
            content = read_as_coco(dataset, split)
        except UnreadableSplit as error:
            lacking.append(f"{ANNOTATIONS[split]} is not written: {error}")
            continue
        (target / ANNOTATIONS[split]).write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
        written[split] = ANNOTATIONS[split]
    return PlainFiles(written, tuple(lacking))
