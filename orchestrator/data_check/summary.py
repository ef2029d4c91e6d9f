"""Count what a split holds."""

from collections import Counter
from dataclasses import dataclass

from orchestrator.data_check.ledger import Ledger
from orchestrator.data_check.split import Split


@dataclass(frozen=True, slots=True)
class Summary:
    """Hold a split's counts: of the study's classes, but for ``other_boxes``; ``ignored`` are crowds and difficult ones."""

    split: str
    images: int
    without_boxes: int
    boxes: int
    ignored: int
    other_boxes: int
    by_class: dict[str, int]

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {count}" for name, count in self.by_class.items())
        parts = f"{self.images} images ({self.without_boxes} without boxes), {self.boxes} boxes"
        ignored = f", {self.ignored} of them crowds or difficult" if self.ignored else ""
        others = f", {self.other_boxes} boxes of other classes" if self.other_boxes else ""
        return f"{self.split}: {parts}{ignored}{others}: {classes}"


def summarise(split: Split, classes: tuple[str, ...]) -> Summary:
    """Return the counts of a split."""
    counts = Counter(box.label for box in split.boxes)
    boxed = {box.image for box in split.boxes}
    return Summary(
        split.name,
        len(split.images),
        len(split.images) - len(boxed),
        len(split.boxes),
        sum(box.ignored for box in split.boxes),
        split.other_boxes,
        {name: counts[name] for name in classes},
    )


def check_counts(summary: Summary, ledger: Ledger, *, trains_on_empty: bool) -> None:
    """Note what is legal but rarely meant: classes without a box, training images without one."""
    where = f"dataset.{summary.split}"
    if summary.images == 0:
        ledger.error("splits without images", where, "no image could be read")
        return
    for name in [name for name, count in summary.by_class.items() if count == 0]:
        ledger.warning(f"classes without boxes in {summary.split}", where, f"no box of class {name!r}")
    if summary.without_boxes and summary.split == "train" and not trains_on_empty:
        message = f"{summary.without_boxes} of {summary.images} images have no box and are not trained on"
        ledger.warning("training images without boxes", where, message)
