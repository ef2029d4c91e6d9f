"""Check a dataset before anything is trained on it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.dataset_check.both_splits import common_source, copied_annotations
from orchestrator.dataset_check.boxes import check_boxes
from orchestrator.dataset_check.duplicates import check_contents, check_duplicates
from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.images import Advance, check_images
from orchestrator.dataset_check.read import read
from orchestrator.dataset_check.split import Split
from orchestrator.dataset_check.summary import SplitSummary, check_counts, summarise
from trainers.schema import class_names
from trainers.schema.annotations import FileDataset

Begin = Callable[[str, int], Advance]


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """Hold the counts and findings of all splits."""

    summaries: tuple[SplitSummary, ...]
    findings: Findings


def check_dataset(dataset: FileDataset, *, decode: bool, begin: Begin) -> DatasetReport:
    """Read annotations and images of all splits and return their contents and problems.

    ``decode`` reads every pixel and compares contents. ``begin`` is called with a split's name and its number of
    images, and returns a function to call after each.
    """
    findings = Findings()
    splits = read(dataset, findings)
    summaries = tuple(summarise(split, class_names(dataset)) for split in splits)
    for split, summary in zip(splits, summaries, strict=True):
        check_boxes(split, findings)
        check_counts(summary, findings, dataset.min_side)
    _compare(dataset, splits, findings)
    digests = [
        check_images(split, dataset.pixel_rule, findings, decode=decode, advance=begin(split.name, len(split.images)))
        for split in splits
    ]
    check_contents(splits, digests, findings)
    return DatasetReport(summaries, findings)


def _compare(dataset: FileDataset, splits: Sequence[Split], findings: Findings) -> None:
    """Note what each measured split has in common with those before it."""
    for number, split in enumerate(splits[1:], start=1):
        where, name = f"dataset.{split.name}", split.name
        if (common := common_source(dataset, name)) is not None:
            findings.error("splits of one source", where, common)
            continue
        if (copied := copied_annotations(dataset, name)) is not None:
            findings.warning("splits with equal annotations", where, copied)
        for earlier in splits[:number]:
            check_duplicates(earlier, split, findings)
