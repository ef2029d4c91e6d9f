"""Check that a dataset's files and folders are on this machine."""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.findings import Finding
from orchestrator.study.load import LoadedStudy
from trainers.schema import CocoDataset, DatasetSpec, ShapesDataset, VocDataset, VocPart
from trainers.schema.annotations import FileDataset, SplitName
from trainers.schema.dataset import CocoSplit, YoloDataset, coco_parts, source_splits, voc_parts, yolo_parts
from trainers.schema.image_hints import elsewhere
from trainers.schema.voc_layout import PartFiles


def file_dataset(dataset: DatasetSpec) -> FileDataset | None:
    """Return a dataset whose root is on this machine; one that is not is reported with the study itself."""
    if isinstance(dataset, ShapesDataset) or "${" in dataset.root or not Path(dataset.root).is_dir():
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


def _yolo(root: Path, dataset: YoloDataset, split: SplitName) -> Iterator[str]:
    if dataset.data is not None and not (root / dataset.data).is_file():
        yield f"no file {root / dataset.data}"
    for part in yolo_parts(dataset, split):
        if not (root / part.images).exists():
            yield f"no folder or list of images {root / part.images}"
        if part.labels is not None and not (root / part.labels).is_dir():
            yield f"no folder of labels {root / part.labels}"


def missing_part(root: Path, part: VocPart) -> list[str]:
    """Return a phrase for each file and folder of a part of a VOC split that is not there."""
    files = PartFiles(root, part)
    folders = [f"no folder {folder}" for folder in (files.annotations, files.images) if not folder.is_dir()]
    if folders and not files.images.is_dir():
        folders[-1] += _place_of_images(root, files)
    if files.list_file is None or files.list_file.is_file():
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
    if not (root / split.annotations).is_file():
        yield f"no annotation file {root / split.annotations}"
    if not (root / split.images).is_dir():
        yield f"no image folder {root / split.images}{elsewhere(str(root), image) if image else ''}"
