"""Images that are legal and not trained on are told, in words for one and for several."""

from typing import Any

import pytest

from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.summary import SplitSummary, check_counts, empty_images
from trainers.schema.annotations.kinds import IN_SMALL_IMAGES, SMALL_IMAGES, WITHOUT_BOXES
from trainers.schema.annotations.usage import Usage, listed


def summary(
    split: str = "train", images: int = 9, boxes_used: int = 4, images_used: int = 3, **counts: Any
) -> SplitSummary:
    used = Usage(split, images_used=images_used, left_out=counts.get("left_out", {}), mended=counts.get("mended", {}))
    used.by_class.update({"cat": boxes_used})
    by_class = {"cat": 5, "dog ": 0}
    return SplitSummary(split, images, 2, 7, counts.get("ignored", 0), counts.get("others", 0), by_class, used)


def findings_of(left_out: dict[str, int]) -> list[str]:
    findings = Findings()
    check_counts(summary(left_out=left_out), findings, min_side=32)
    return [str(finding) for finding in findings.listed()]


@pytest.mark.parametrize(
    ("small", "inside", "said"),
    [
        (1, 0, "1 of 9 images has a side below 32 pixels (dataset.min_side) and is not trained on, nor are its 0 boxes"),
        (1, 1, "1 of 9 images has a side below 32 pixels (dataset.min_side) and is not trained on, nor is its box"),
        (1, 4, "1 of 9 images has a side below 32 pixels (dataset.min_side) and is not trained on, nor are its 4 boxes"),
        (2, 1, "2 of 9 images have a side below 32 pixels (dataset.min_side) and are not trained on, nor is their box"),
        (2, 3, "2 of 9 images have a side below 32 pixels (dataset.min_side) and are not trained on, nor are their 3 boxes"),
    ],
)  # fmt: skip
def test_small_images_are_counted_with_their_boxes(small: int, inside: int, said: str) -> None:
    assert findings_of({SMALL_IMAGES.name: small, IN_SMALL_IMAGES.name: inside}) == [f"dataset.train: warning: {said}"]


@pytest.mark.parametrize(("empty", "told"), [(0, False), (1, True), (8, True), (9, False)])
def test_images_without_boxes_are_told_unless_there_are_no_others(empty: int, told: bool) -> None:
    expected = [f"dataset.train: warning: {empty_images(empty, 9)}"] if told else []
    assert findings_of({WITHOUT_BOXES.name: empty}) == expected


def test_one_and_several_images_without_boxes() -> None:
    rest = "not trained on, unless dataset.keep_empty is true"
    assert empty_images(1, 9) == f"1 of 9 images has no box and is {rest}"
    assert empty_images(2, 9) == f"2 of 9 images have no box and are {rest}"


def test_a_split_is_counted_in_a_line_and_what_is_left_out_or_mended_in_another() -> None:
    assert str(summary()) == "train: 9 images (2 without boxes), 7 boxes: cat 5, 'dog ' 0"
    whole = summary("val", ignored=1, others=1, left_out={WITHOUT_BOXES.name: 2}, mended={SMALL_IMAGES.name: 1})
    assert str(whole).splitlines() == [
        (
            "val: 9 images (2 without boxes), 7 boxes, 1 of them to be ignored (crowds, difficult), 1 box of other classes: "
            "cat 5, 'dog ' 0"
        ),
        f"val: 4 boxes in 3 images are evaluated; left out: {listed({WITHOUT_BOXES.name: 2})}; mended: {listed({SMALL_IMAGES.name: 1})}",
    ]
    one = summary(boxes_used=1, images_used=1, mended={SMALL_IMAGES.name: 1})
    assert str(one).endswith(f"\ntrain: 1 box in 1 image is learned; mended: {listed({SMALL_IMAGES.name: 1})}")
