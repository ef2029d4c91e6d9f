"""Digest the data that a trial reads, so that its identity is the content and not the path."""

import os
from pathlib import Path
from typing import Final

from typing_extensions import TypeIs

from orchestrator.dataset_check.readings import reading
from orchestrator.study.fingerprint import fingerprint
from trainers.schema import CocoDataset, DatasetSpec, ShapesDataset, VocDataset, digest
from trainers.schema.annotations import SplitName, sources
from trainers.schema.dataset import (
    FileDataset,
    YoloDataset,
    class_names,
    source_splits,
    splits_of,
    voc_parts,
    yolo_parts,
)
from trainers.schema.user_file import UnfitFile
from trainers.schema.voc_layout import PartFiles
from trainers.schema.yolo_layout import YoloFiles

MISSING = "missing"
CHOOSING: Final[tuple[SplitName, ...]] = ("train", "val")  # the splits that a trial's result depends on


def dataset_digest(dataset: DatasetSpec, annotations: dict[str, str] | None = None) -> str:
    """Return a digest of the dataset's annotations, or ``missing`` when they are not on this machine.

    ``annotations`` is the result of ``annotation_digests``, for callers that need both. Of VOC datasets these are the
    lists of images and every XML file that they name, of YOLO datasets the images' names and every label file. Images
    are not read (COCO's are 19 GB): their names, and mostly sizes, stand in the annotations. Where a COCO file holds
    something that earlier releases read otherwise, the digest covers that, too (not of files too large for a plan, see
    ``readings``). The shapes dataset is a function of its settings.
    """
    if isinstance(dataset, CocoDataset):
        return _coco_digest(dataset, annotation_digests(dataset) if annotations is None else annotations)
    return fingerprint(dataset.identity()) if isinstance(dataset, ShapesDataset) else _parts_digest(dataset)


def split_digest(dataset: FileDataset, split: SplitName) -> str:
    """Return a digest of one split's annotations and of the classes that are looked for, ``missing`` as above."""
    try:
        parts = _digests_of_split(dataset, split)
    except (OSError, ValueError):
        return MISSING
    return MISSING if MISSING in parts else fingerprint([split, list(class_names(dataset)), *parts])


def has_test_split(dataset: DatasetSpec) -> TypeIs[FileDataset]:
    """Return whether a study asks for a test split."""
    return not isinstance(dataset, ShapesDataset) and "test" in splits_of(dataset)


def _digests_of_split(dataset: FileDataset, split: SplitName) -> list[object]:
    if dataset.split is not None:
        return [dataset_digest(dataset), dataset.split.model_dump(mode="json")]
    if isinstance(dataset, CocoDataset):
        return [file_digest(path) for path in sources(dataset, split)]
    return [_part_digests(dataset, split)]


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file, ``missing`` when there is none, or something that is not opened as one."""
    try:
        return digest.file_digest(Path(path)) if os.path.isfile(path) else MISSING  # noqa: PTH113
    except UnfitFile:  # a finding of the plan says why
        return MISSING


def annotation_digests(dataset: DatasetSpec) -> dict[str, str]:
    """Return the SHA-256 of each annotation file of a COCO dataset that is here; nothing for other datasets."""
    files = _coco_files(dataset) if isinstance(dataset, CocoDataset) else []
    return {str(file): file_digest(file) for file in files if os.path.isfile(file)}  # noqa: PTH113


def _coco_files(dataset: CocoDataset) -> list[Path]:
    """Return the files that training and validation read; nothing is chosen by the test split."""
    splits = [split for split in source_splits(dataset) if split in CHOOSING]
    return [file for split in splits for file in sources(dataset, split)]


def _coco_digest(dataset: CocoDataset, annotations: dict[str, str]) -> str:
    files = [str(file) for file in _coco_files(dataset)]
    if not all(file in annotations for file in files):
        return MISSING
    digests: list[object] = [annotations[file] for file in files]
    changed = _changed_readings(dataset)
    return fingerprint([*digests, changed] if changed else digests)


def _changed_readings(dataset: CocoDataset) -> dict[str, list[str]]:
    """Return the parts of the files that earlier releases read differently: those results have another identity."""
    splits = {name: reading(dataset, name) for name in source_splits(dataset) if name in CHOOSING}
    return {name: list(found.changed) for name, found in splits.items() if found is not None and found.changed}


def _parts_digest(dataset: VocDataset | YoloDataset) -> str:
    """Return a digest of the parts of both splits: where ``split`` divides one source, of that."""
    splits = [split for split in source_splits(dataset) if split in CHOOSING]
    try:
        found: list[object] = [_part_digests(dataset, split) for split in splits]
        if isinstance(dataset, YoloDataset) and dataset.data is not None:
            found.append(digest.file_digest(Path(dataset.root) / dataset.data))
        return fingerprint(found)
    except (OSError, ValueError):  # what is damaged is told by the preflight and by `data check`
        return MISSING


def _part_digests(dataset: VocDataset | YoloDataset, split: SplitName) -> list[str]:
    """Return the digests of a split's parts; files that a plan has read before are not read again."""
    if isinstance(dataset, VocDataset):
        files: list[PartFiles | YoloFiles] = [PartFiles(dataset.root, part) for part in voc_parts(dataset, split)]
    else:
        files = [YoloFiles(dataset.root, part) for part in yolo_parts(dataset, split)]
    found = reading(dataset, split)
    seen = found.seen if found is not None and len(found.seen) == len(files) else [None] * len(files)
    return [part.digest(one) for part, one in zip(files, seen, strict=True)]
