"""Read a split as training and evaluation do, noting what is wrong with it."""

from pathlib import Path

from orchestrator.data_check.ledger import Ledger
from orchestrator.data_check.split import Box, Image, Split
from trainers.spec import VocDataset, class_names
from trainers.spec.annotations import AnnotatedSplit, FileDataset, SplitName, read_split
from trainers.spec.annotations.kinds import MISSING_IMAGES, UNREADABLE
from trainers.spec.annotations.problems import problems
from trainers.spec.annotations.usage import usage


def read(dataset: FileDataset, name: SplitName, ledger: Ledger) -> Split:
    """Return the split ``name`` as far as it can be read."""
    found = read_split(dataset, name)
    for kind in found.notes.told:
        ledger.take(kind, found.notes)
    _note_others(found, dataset, ledger)
    counts = usage(found, dataset)
    told_missing = MISSING_IMAGES in found.notes.told
    split = Split(name, other_boxes=found.others.total(), told_missing=told_missing, usage=counts)
    names = class_names(dataset)
    for image in found.images:
        split.images[image.id] = Image(Path(image.path), image.size, image.where)
        for box in image.boxes:
            where = image.where_of(box)
            split.boxes.append(Box(image.id, names[box.label], box.corners, box.ignored, where, box.left_out))
    if found.notes.stopping is None or (not split.images and UNREADABLE not in found.notes.told):
        _note_problems(split, dataset, ledger)
    return split


def _note_others(found: AnnotatedSplit, dataset: FileDataset, ledger: Ledger) -> None:
    """Note objects of names that are no class of the study; COCO files list such names among their categories."""
    if found.others and isinstance(dataset, VocDataset):
        names = ", ".join(f"{other} ({count})" for other, count in found.others.most_common(10))
        message = f"objects that are no class of the study: {names}"
        ledger.warning("objects of other names", f"dataset.{found.name}", message)


def _note_problems(split: Split, dataset: FileDataset, ledger: Ledger) -> None:
    for problem in problems(split.usage, dataset):
        add = ledger.error if problem.level == "error" else ledger.warning
        add(problem.kind, f"dataset.{split.name}", problem.message)
