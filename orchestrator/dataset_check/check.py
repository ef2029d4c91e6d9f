"""Check a dataset before anything is trained on it."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.dataset_check.both_splits import common_source, copied_annotations
from orchestrator.dataset_check.boxes import check_boxes
from orchestrator.dataset_check.duplicates import check_contents, check_duplicates
from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.images import Advance, check_images
from orchestrator.dataset_check.read import read
from orchestrator.dataset_check.summary import SplitSummary, check_counts, summarise
from trainers.schema import class_names
from trainers.schema.annotations import FileDataset

Begin = Callable[[str, int], Advance]


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """Hold the counts and findings of both splits."""

    summaries: tuple[SplitSummary, ...]
    findings: Findings


def check_dataset(dataset: FileDataset, *, decode: bool, begin: Begin) -> DatasetReport:
    """Read annotations and images of both splits and return their contents and problems.

    ``decode`` reads every pixel and compares contents. ``begin`` is called with a split's name and its number of
    images, and returns a function to call after each.
    """
    findings = Findings()
    train, val = read(dataset, findings)
    summaries = tuple(summarise(split, class_names(dataset)) for split in (train, val))
    for split, summary in zip((train, val), summaries, strict=True):
        check_boxes(split, findings)
        check_counts(summary, findings, dataset.min_side)
    if (common := common_source(dataset)) is not None:
        findings.error("splits of one source", "dataset.val", common)
    else:
        if (copied := copied_annotations(dataset)) is not None:
            findings.warning("splits with equal annotations", "dataset.val", copied)
        check_duplicates(train, val, findings)
    digests = tuple(
        check_images(split, dataset.pixel_rule, findings, decode=decode, advance=begin(split.name, len(split.images)))
        for split in (train, val)
    )
    check_contents(train, val, (digests[0], digests[1]), findings)
    return DatasetReport(summaries, findings)
