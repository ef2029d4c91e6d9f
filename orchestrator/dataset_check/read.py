"""Find problems in a split, read in the same way as by training and evaluation."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from orchestrator.dataset_check.class_names import names_by_split, names_of, other_spellings, told_of, unknown_classes
from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.split import CheckedImage, Split
from trainers.schema import CocoDataset
from trainers.schema.annotations import AnnotatedSplit, FileDataset, Notes, read_split
from trainers.schema.annotations.kinds import ABSENT_CLASSES, AT_ZERO, CORNERS, MISSING_IMAGES
from trainers.schema.annotations.problems import problems
from trainers.schema.annotations.usage import usage
from trainers.schema.annotations.wording import visible
from trainers.schema.dataset import splits_of


def read(dataset: FileDataset, findings: Findings) -> tuple[Split, ...]:
    """Return the splits as far as they can be read, training first."""
    splits = [read_split(dataset, name) for name in splits_of(dataset)]
    names = names_by_split(dataset, splits)
    unknown = unknown_classes(dataset, names)
    for item in unknown:
        findings.error("unknown class names", "dataset.classes", item.message)
    spelt = other_spellings(dataset, names, unknown)
    for spelling in spelt:
        findings.warning("classes in several spellings", "dataset.classes", spelling.message)
    if dataset.split is not None:  # what all files have in common is told once
        for split in splits[1:]:
            split.notes, split.others = Notes(), Counter()
    for split in splits:
        told = [name for item in spelt if item.split == split.name for name in item.names]
        _note_others(split, dataset, told, findings)
    return tuple(_noted(dataset, split, told_of(unknown, split.name), findings) for split in splits)


def _noted(dataset: FileDataset, found: AnnotatedSplit, unknown: Collection[str], findings: Findings) -> Split:
    """Add findings about a split, except that no box has the name of the ``unknown`` classes."""
    for kind in found.notes.told:
        if kind is not ABSENT_CLASSES or not names_of(found, dataset).undeclared <= set(unknown):
            findings.take(kind, found.notes)
    counts = usage(found, dataset)
    split = Split(
        found.name,
        other_boxes=found.others.total(),
        told_missing=MISSING_IMAGES in found.notes.told,
        told_corners=bool({CORNERS, AT_ZERO} & found.notes.told.keys()),
        usage=counts,
        read=found.images,
    )
    for image in found.images:
        split.images[image.id] = CheckedImage(Path(image.path), image.size, image.where)
    if found.notes.stopping is None:
        _note_problems(split, dataset, unknown, findings)
    return split


def _note_others(found: AnnotatedSplit, dataset: FileDataset, spelt: Collection[str], findings: Findings) -> None:
    """Note objects of names that are no class of the study; COCO files list such names among their categories.

    Nothing is said of the names that are ``spelt`` like a class, which are told already.
    """
    others = Counter({name: count for name, count in found.others.items() if name not in spelt})
    if others and not isinstance(dataset, CocoDataset):
        names = ", ".join(f"{visible(other)} ({count})" for other, count in others.most_common(10))
        message = f"objects that are no class of the study: {names}"
        findings.warning("objects of other names", f"dataset.{found.name}", message)


def _note_problems(split: Split, dataset: FileDataset, unknown: Collection[str], findings: Findings) -> None:
    for problem in problems(split.usage, dataset, unknown):
        add = findings.error if problem.level == "error" else findings.warning
        add(problem.kind, f"dataset.{split.name}", problem.message)
