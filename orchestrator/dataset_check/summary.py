"""Count a split's images and boxes."""

from collections import Counter
from dataclasses import dataclass
from itertools import chain

from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.split import Split
from trainers.schema.annotations.kinds import IN_SMALL_IMAGES, SMALL_IMAGES, WITHOUT_BOXES
from trainers.schema.annotations.usage import Usage, listed
from trainers.schema.annotations.wording import boxes, images, visible


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """Hold a split's counts: of the study's classes, but for ``other_boxes``; ``ignored`` are crowds, difficult ones and those marked to be ignored.

    ``used`` counts those that training and evaluation use.
    """

    split: str
    images: int
    without_boxes: int
    boxes: int
    ignored: int
    other_boxes: int
    by_class: dict[str, int]
    used: Usage

    def __str__(self) -> str:
        classes = ", ".join(f"{visible(name)} {count}" for name, count in self.by_class.items())
        parts = f"{images(self.images)} ({self.without_boxes} without boxes), {boxes(self.boxes)}"
        ignored = f", {self.ignored} of them to be ignored (crowds, difficult)" if self.ignored else ""
        others = f", {boxes(self.other_boxes)} of other classes" if self.other_boxes else ""
        return f"{self.split}: {parts}{ignored}{others}: {classes}{self._rest()}"

    def _rest(self) -> str:
        """Return a line about boxes left out or repaired, if there are any."""
        lists = {"left out": self.used.left_out, "mended": self.used.mended}
        told = [f"{what}: {listed(counts)}" for what, counts in lists.items() if counts]
        if not told:
            return ""
        verb = "learned" if self.split == "train" else "evaluated"
        what = f"{boxes(self.used.boxes_used)} in {images(self.used.images_used)}"
        return f"\n{self.split}: {what} {'is' if self.used.boxes_used == 1 else 'are'} {verb}; {'; '.join(told)}"


def summarise(split: Split, classes: tuple[str, ...]) -> SplitSummary:
    """Return the counts of a split."""
    boxes = list(chain.from_iterable(image.boxes for image in split.read))
    counts = Counter([box.label for box in boxes])
    return SplitSummary(
        split.name,
        len(split.images),
        len(split.images) - sum(bool(image.boxes) for image in split.read),
        len(boxes),
        sum([box.ignored for box in boxes]),
        split.other_boxes,
        {name: counts[label] for label, name in enumerate(classes)},
        split.usage,
    )


def empty_images(empty: int, images: int) -> str:
    """Say how many of the training images have no box, and the key that trains on them."""
    verbs = ("has", "is") if empty == 1 else ("have", "are")
    return (
        f"{empty} of {images} images {verbs[0]} no box and {verbs[1]} not trained on, unless dataset.keep_empty is true"
    )


def check_counts(summary: SplitSummary, findings: Findings, min_side: int) -> None:
    """Note training images that are legal but not used."""
    where, left_out = f"dataset.{summary.split}", summary.used.left_out
    empty = left_out.get(WITHOUT_BOXES.name, 0)
    if 0 < empty < summary.images:  # where no image has one, an error says why
        findings.warning("training images without boxes", where, empty_images(empty, summary.images))
    if small := left_out.get(SMALL_IMAGES.name):
        inside = left_out.get(IN_SMALL_IMAGES.name, 0)
        have, are, their = ("has", "is", "its") if small == 1 else ("have", "are", "their")
        message = (
            f"{small} of {summary.images} images {have} a side below {min_side} pixels (dataset.min_side) and {are} not "
            f"trained on, nor {_of_images(inside, their)}"
        )
        findings.warning("small training images", where, message)


def _of_images(count: int, whose: str) -> str:
    return f"is {whose} box" if count == 1 else f"are {whose} {count} boxes"
