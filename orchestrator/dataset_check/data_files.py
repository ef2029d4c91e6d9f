"""Check that a dataset's files and folders are on this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.findings import Finding
from orchestrator.study.load import LoadedStudy
from trainers.schema import CocoDataset, DatasetSpec, ShapesDataset, VocDataset, VocPart
from trainers.schema.annotations import FileDataset, SplitName, sources
from trainers.schema.dataset import CocoSplit, YoloDataset, coco_parts, source_splits, voc_parts, yolo_parts
from trainers.schema.image_hints import elsewhere
from trainers.schema.user_file import no_regular_file
from trainers.schema.voc_layout import PartFiles


def file_dataset(dataset: DatasetSpec) -> FileDataset | None:
    """Return a dataset whose root is on this machine; one that is not is reported with the study itself."""
    if isinstance(dataset, ShapesDataset) or "${" in dataset.root or not is_dir(Path(dataset.root)):
        return None
    return dataset


def missing_files(loaded: LoadedStudy) -> Iterator[Finding]:
    """Yield the annotation files, lists and folders of both splits that are not there."""
    dataset = file_dataset(loaded.study.dataset)
    if dataset is None:
        return
    for split in source_splits(dataset):
        where = loaded.where(f"dataset.{split}")
        yield from (Finding("missing", where, message) for message in missing_from(dataset, split))
        yield from (Finding("error", where, message) for message in _unfit(dataset, split))


def _unfit(dataset: FileDataset, split: SplitName) -> Iterator[str]:
    """Yield a phrase for each pipe, device or socket where an annotation file or a list should be."""
    for path in sources(dataset, split):
        if not is_dir(path) and (instead := no_regular_file(path)):
            yield f"{path} {instead}"


def missing_from(dataset: FileDataset, split: SplitName, image: str | None = None) -> list[str]:
    """Return a phrase for each file and folder of a split that is not there.

    A COCO split's folder is looked for by the path of an ``image`` of it.
    """
    root = Path(dataset.root)
    if isinstance(dataset, CocoDataset):
        return [message for part in coco_parts(dataset, split) for message in _coco(root, part, image)]
    if isinstance(dataset, VocDataset):
        return [message for part in voc_parts(dataset, split) for message in missing_part(root, part)]
    return list(_yolo(root, dataset, split))


def is_dir(path: Path) -> bool:
    """Return whether a folder is there; ``Path.is_dir`` raises for a link to a name that is too long."""
    return os.path.isdir(path)  # noqa: PTH112


def _lacks_file(path: Path) -> bool:
    """Return whether nothing is there, or a folder; the reader of the file reports all else."""
    return not os.path.exists(path) or is_dir(path)  # noqa: PTH110


def _yolo(root: Path, dataset: YoloDataset, split: SplitName) -> Iterator[str]:
    if dataset.data is not None and _lacks_file(root / dataset.data):
        yield f"no file {root / dataset.data}"
    for part in yolo_parts(dataset, split):
        if not os.path.exists(root / part.images):  # noqa: PTH110
            yield f"no folder or list of images {root / part.images}"
        if part.labels is not None and not is_dir(root / part.labels):
            yield f"no folder of labels {root / part.labels}"


def missing_part(root: Path, part: VocPart) -> list[str]:
    """Return a phrase for each file and folder of a part of a VOC split that is not there."""
    files = PartFiles(root, part)
    folders = [f"no folder {folder}" for folder in (files.annotations, files.images) if not is_dir(folder)]
    if folders and not is_dir(files.images):
        folders[-1] += _place_of_images(root, files)
    if files.list_file is None or not _lacks_file(files.list_file):
        return folders
    return [f"no list of images {files.list_file}{_without_a_list(files)}", *folders]


def _without_a_list(files: PartFiles) -> str:
    """Return how to do without a list, where there are XML files."""
    found = PartFiles(files.folder, files.part.model_copy(update={"folder": ".", "set": None}))
    try:
        count = len(found.names)
    except OSError:
        return ""
    return f": leave out set to take all {count} XML files of {files.annotations}" if count else ""


def _place_of_images(root: Path, files: PartFiles) -> str:
    """Return a hint at the folder that has a part's first image."""
    try:
        return elsewhere(str(root), str(files.image_file(files.names[0], None))) if files.names else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _coco(root: Path, split: CocoSplit, image: str | None) -> Iterator[str]:
    if _lacks_file(root / split.annotations):
        yield f"no annotation file {root / split.annotations}"
    if not is_dir(root / split.images):
        yield f"no image folder {root / split.images}{elsewhere(str(root), image) if image else ''}"
