"""Report missing or broken data in a plan, within two seconds."""

from collections.abc import Collection, Iterator
from pathlib import Path

from orchestrator.core.findings import Finding
from orchestrator.dataset_check.annotation_findings import annotation_findings
from orchestrator.dataset_check.both_splits import (
    WORTHLESS,
    common_source,
    copied_annotations,
    measured_splits,
    shared_images,
)
from orchestrator.dataset_check.class_names import other_spellings, told_of, unknown_classes
from orchestrator.dataset_check.data_files import file_dataset, lacks_part, missing_findings, missing_from
from orchestrator.dataset_check.groups import useless_groups
from orchestrator.dataset_check.image_findings import image_findings
from orchestrator.dataset_check.readings import known_names, reading
from orchestrator.study.load import LoadedStudy
from trainers.schema import CocoDataset, VocDataset
from trainers.schema.annotations import FileDataset, SplitName
from trainers.schema.dataset import source_splits, splits_of, voc_parts
from trainers.schema.voc_layout import PartFiles


def data_findings(loaded: LoadedStudy) -> Iterator[Finding]:
    """Yield the problems that block training or evaluation on the study's dataset, and notes about it.

    Each mistake is told once: a class name that no box has at ``dataset.classes`` and not for each split, a file that
    both splits are read from instead of each image in it.
    """
    dataset = file_dataset(loaded.study.dataset)
    if dataset is None:
        return
    splits = source_splits(dataset)
    lost = (one for split in splits for one in missing_findings(loaded, dataset, split, _first_image(dataset, split)))
    yield from dict.fromkeys(lost)  # splits may share a file
    names, classes = known_names(dataset), loaded.where("dataset.classes")
    unknown = unknown_classes(dataset, names)
    yield from (Finding("error", classes, item.message) for item in unknown)
    yield from (Finding("warning", classes, item.message) for item in other_spellings(dataset, names, unknown))
    for split in splits_of(dataset):
        yield from _of_split(dataset, split, loaded.where(f"dataset.{split}"), told_of(unknown, split))
    if (groups := useless_groups(dataset)) is not None:
        yield Finding("warning", loaded.where("dataset.split.group"), groups)
    for split in measured_splits(dataset):
        yield from _apart_from_training(dataset, split, loaded.where(f"dataset.{split}"))


def _first_image(dataset: FileDataset, split: SplitName) -> str | None:
    found = reading(dataset, split)
    return found.used[0] if found is not None and found.used else None


def _of_split(dataset: FileDataset, split: SplitName, where: str, unknown: Collection[str]) -> Iterator[Finding]:
    lists = list(_lists(dataset, split, where))
    yield from lists
    # XML files and labels that are missing would be told twice
    if isinstance(dataset, CocoDataset) or not (lists or missing_from(dataset, split)):
        yield from annotation_findings(dataset, split, where, unknown)
        yield from image_findings(dataset, split, where)


def _lists(dataset: FileDataset, split: SplitName, where: str) -> Iterator[Finding]:
    """Compare VOC's lists with their annotation files, by one look into each folder."""
    if isinstance(dataset, VocDataset):
        for part in voc_parts(dataset, split):
            if not lacks_part(Path(dataset.root), part):
                yield from _listed(PartFiles(dataset.root, part), where)


def _listed(files: PartFiles, where: str) -> Iterator[Finding]:
    try:
        names = files.names
    except (OSError, UnicodeDecodeError) as error:
        yield Finding("error", where, f"{files.source} is not a list of images: {error}")
        return
    absent = [name for name in names if not files.has_xml(name)]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        message = (
            f"{len(absent)} of {len(names)} annotation files {verb} missing, the first {files.xml_file(absent[0])}"
        )
        yield Finding("missing", where, message)
    if not names:
        yield Finding("error", where, f"{files.source} names no image")


def _apart_from_training(dataset: FileDataset, split: SplitName, where: str) -> Iterator[Finding]:
    """Yield that a split is read from a file of ``train``, or else that images are in both."""
    train, other = reading(dataset, "train"), reading(dataset, split)
    if (message := common_source(dataset, split)) is not None:
        yield Finding("error", where, message)
        return
    if (message := copied_annotations(dataset, split)) is not None:
        yield Finding("warning", where, message)
    if train is not None and other is not None and (shared := shared_images(train.paths, other.paths)):
        verb = "is" if len(shared) == 1 else "are"
        count = f"{len(shared)} of {len(other.paths)} images {verb} trained on too, the first {shared[0]}"
        yield Finding("error", where, f"{count}: {WORTHLESS}")
