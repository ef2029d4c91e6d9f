"""Check a dataset before anything is trained on it."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.data_check.boxes import check_boxes
from orchestrator.data_check.coco import read_coco
from orchestrator.data_check.images import Advance, check_images
from orchestrator.data_check.ledger import Ledger
from orchestrator.data_check.split import Split
from orchestrator.data_check.summary import Summary, check_counts, summarise
from orchestrator.data_check.twins import check_contents, check_twins
from orchestrator.data_check.voc import read_voc
from trainers.spec import CocoDataset, VocDataset, class_names

FileDataset = CocoDataset | VocDataset
Begin = Callable[[str, int], Advance]


@dataclass(frozen=True, slots=True)
class Report:
    """Hold the counts of both splits, and what was found."""

    summaries: tuple[Summary, ...]
    ledger: Ledger


def check_dataset(dataset: FileDataset, *, decode: bool, begin: Begin) -> Report:
    """Read annotations and images of both splits and return what is in them and what is wrong with them.

    ``decode`` reads every pixel and compares contents. ``begin`` is called with a split's name and its number of
    images, and returns what to call after each.
    """
    ledger = Ledger()
    train, val = (_read(dataset, name, ledger) for name in ("train", "val"))
    summaries = tuple(summarise(split, class_names(dataset)) for split in (train, val))
    for split, summary in zip((train, val), summaries, strict=True):
        check_boxes(split, ledger)
        check_counts(summary, ledger, trains_on_empty=dataset.augmentation == "mosaic")
    _check_names(summaries, ledger)
    check_twins(train, val, ledger)
    digests = tuple(
        check_images(split, dataset.pixel_rule, ledger, decode=decode, advance=begin(split.name, len(split.images)))
        for split in (train, val)
    )
    check_contents(train, val, (digests[0], digests[1]), ledger)
    return Report(summaries, ledger)


def _read(dataset: FileDataset, name: str, ledger: Ledger) -> Split:
    return read_voc(dataset, name, ledger) if isinstance(dataset, VocDataset) else read_coco(dataset, name, ledger)


def _check_names(summaries: tuple[Summary, ...], ledger: Ledger) -> None:
    """Note classes that occur nowhere: likely misspelt."""
    if not all(summary.images for summary in summaries):
        return  # what could not be read is told already
    if not any(summary.boxes for summary in summaries):
        ledger.error("datasets without boxes", "dataset", "no box of the study's classes could be read")
        return
    for name in summaries[0].by_class:
        if not any(summary.by_class[name] for summary in summaries):
            ledger.error("classes without any box", "dataset.classes", f"no box of class {name!r} in either split")
