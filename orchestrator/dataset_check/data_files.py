"""Check that a dataset's files and folders are on this machine."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator.core.findings import Finding
from orchestrator.dataset_check.near_names import did_you_mean_path, names_of_lists
from orchestrator.study.load import LoadedStudy
from orchestrator.study.location import KeyPath
from orchestrator.study.wording import did_you_mean
from trainers.schema import CocoDataset, DatasetSpec, ShapesDataset, VocDataset, VocPart
from trainers.schema.annotations import FileDataset, SplitName, sources
from trainers.schema.dataset import YoloDataset, coco_parts, source_splits, voc_parts, yolo_parts
from trainers.schema.image_hints import elsewhere
from trainers.schema.user_file import no_regular_file
from trainers.schema.voc_layout import PartFiles


class Missing(NamedTuple):
    """Hold a phrase about a missing file or folder; ``key`` is the one of the section ``dataset`` that names it."""

    key: KeyPath
    message: str


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
    splits = source_splits(dataset)
    yield from dict.fromkeys(one for split in splits for one in missing_findings(loaded, dataset, split))
    for split in splits:
        yield from (Finding("error", loaded.where(f"dataset.{split}"), message) for message in _unfit(dataset, split))


def missing_findings(
    loaded: LoadedStudy, dataset: FileDataset, split: SplitName, image: str | None = None
) -> Iterator[Finding]:
    """Yield the missing files and folders of a split at the keys that name them; see ``missing_from``."""
    for key, message in missing_from(dataset, split, image):
        yield Finding("missing", loaded.locations.where(("dataset", *key)), message)


def _unfit(dataset: FileDataset, split: SplitName) -> Iterator[str]:
    """Yield a phrase for each pipe, device or socket where an annotation file or a list should be."""
    for path in sources(dataset, split):
        if not is_dir(path) and (instead := no_regular_file(path)):
            yield f"{path} {instead}"


def missing_from(dataset: FileDataset, split: SplitName, image: str | None = None) -> list[Missing]:
    """Return each file and folder of a split that is not there, with the one that was probably meant.

    A COCO split's folder is looked for by the path of an ``image`` of it.
    """
    if isinstance(dataset, CocoDataset):
        return list(_coco(dataset, split, image))
    if isinstance(dataset, VocDataset):
        return list(_voc(dataset, split))
    return list(_yolo(dataset, split))


def is_dir(path: Path) -> bool:
    """Return whether a folder is there; ``Path.is_dir`` raises for a link to a name that is too long."""
    return os.path.isdir(path)  # noqa: PTH112


def _lacks_file(path: Path) -> bool:
    """Return whether nothing is there, or a folder; the reader of the file reports all else."""
    return not os.path.exists(path) or is_dir(path)  # noqa: PTH110


def _key_of(dataset: FileDataset, split: SplitName, number: int, name: str) -> KeyPath:
    """Return the key of a part of a split, which may be a list of parts or a single one."""
    source = split if dataset.split is None else "train"
    return (source, number, name) if isinstance(getattr(dataset, source), tuple) else (source, name)


def _yolo(dataset: YoloDataset, split: SplitName) -> Iterator[Missing]:
    root, parts = Path(dataset.root), yolo_parts(dataset, split)
    used = [
        path
        for name in source_splits(dataset)
        for part in yolo_parts(dataset, name)
        for path in (part.images, part.labels or "")
    ]
    if dataset.data is not None and _lacks_file(root / dataset.data):
        yield Missing(("data",), f"no file {root / dataset.data}{did_you_mean_path(root, dataset.data, used)}")
    for number, part in enumerate(parts):
        if not os.path.exists(root / part.images):  # noqa: PTH110
            hint = did_you_mean_path(root, part.images, used)
            key = _key_of(dataset, split, number, "images")
            yield Missing(key, f"no folder or list of images {root / part.images}{hint}")
        if part.labels is not None and not is_dir(root / part.labels):
            hint = did_you_mean_path(root, part.labels, used)
            yield Missing(_key_of(dataset, split, number, "labels"), f"no folder of labels {root / part.labels}{hint}")


def _voc(dataset: VocDataset, split: SplitName) -> Iterator[Missing]:
    used = [part for name in source_splits(dataset) for part in voc_parts(dataset, name)]
    for number, part in enumerate(voc_parts(dataset, split)):
        others = [other.set for other in used if other.folder == part.folder and other.set]
        for name, message in _missing_of_part(Path(dataset.root), part, others):
            yield Missing(_key_of(dataset, split, number, name), message)


def lacks_part(root: Path, part: VocPart) -> bool:
    """Return whether a file or folder of a part of a VOC split is not there."""
    return any(True for _ in _missing_of_part(root, part))


def _missing_of_part(root: Path, part: VocPart, others: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """Yield the key and a phrase for each file and folder of a part that is not there; ``others`` are lists that are used."""
    files = PartFiles(root, part)
    if files.list_file is not None and _lacks_file(files.list_file):
        meant = did_you_mean(part.set, names_of_lists(files.folder, others))
        yield "set", f"no list of images {files.list_file}{meant or _without_a_list(files)}"
    if not is_dir(files.annotations):
        yield "annotations", f"no folder {files.annotations}{_meant_folder(root, part, part.annotations)}"
    if not is_dir(files.images):
        hint = _place_of_images(root, files) or _meant_folder(root, part, part.images)
        yield "images", f"no folder {files.images}{hint}"


def _meant_folder(root: Path, part: VocPart, inner: str) -> str:
    """Return the subfolder that was probably meant, or the folder of the part where that is not there."""
    folder = root / part.folder
    return did_you_mean_path(folder, inner) if is_dir(folder) else did_you_mean_path(root, part.folder, key="folder: ")


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


def _coco(dataset: CocoDataset, split: SplitName, image: str | None) -> Iterator[Missing]:
    root = Path(dataset.root)
    used = [
        path
        for name in source_splits(dataset)
        for part in coco_parts(dataset, name)
        for path in (part.annotations, part.images)
    ]
    for number, part in enumerate(coco_parts(dataset, split)):
        if _lacks_file(root / part.annotations):
            hint = did_you_mean_path(root, part.annotations, used)
            key = _key_of(dataset, split, number, "annotations")
            yield Missing(key, f"no annotation file {root / part.annotations}{hint}")
        if not is_dir(root / part.images):
            hint = (image and elsewhere(str(root), image)) or did_you_mean_path(root, part.images, used)
            yield Missing(_key_of(dataset, split, number, "images"), f"no image folder {root / part.images}{hint}")
