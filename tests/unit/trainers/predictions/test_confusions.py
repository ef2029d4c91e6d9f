"""Confusions are those of a slow count from their definition, and their diagonal is COCO's own."""

from collections import Counter

import numpy as np
import pytest

from tests.unit.trainers.predictions.test_matching import cocos_view
from trainers.evaluation.voc_metrics import VocFound
from trainers.predictions.confusions import Objects, _ordered, confusions
from trainers.schema.split_errors import IOUS, SCORES, Confusions

CLASSES = 3


def random_image(seed: int) -> tuple[Objects, VocFound]:
    """Return objects that lie close to each other, some ignored, and boxes around them, a third of another class."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 50, (7, 4))
    truth[:, 2:] = truth[:, :2] + rng.uniform(15, 50, (7, 2))
    labels, ignore = rng.integers(0, CLASSES, 7), rng.random(7) < 0.2
    boxes = np.repeat(truth, 3, axis=0) + rng.normal(0, 3, (21, 4))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    found = np.where(rng.random(21) < 0.6, np.repeat(labels, 3), rng.integers(0, CLASSES, 21))
    order = rng.permutation(21)
    scores = rng.random(21)
    return Objects(truth, labels, ignore), VocFound(boxes[order], scores, found[order])


def slow_iou(a, b, inside: bool) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    own, other = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (own if inside else own + other - width * height)


def largest(box, objects: Objects, among: list[int], iou: float) -> int | None:
    """Return which of some objects a box overlaps most, the last of equals; ``None`` below the IoU."""
    found = None
    most = iou
    for place in among:
        common = slow_iou(box, objects.boxes[place], bool(objects.ignore[place]))
        if common >= most:
            found, most = place, common
    return found


def slowly(objects: Objects, found: VocFound, iou: float, score: float) -> Counter[tuple[int, int]]:
    """Count the pairs of one image at one IoU and score, from the boxes above the score alone."""
    free = [place for place in range(len(objects.labels)) if not objects.ignore[place]]
    crowds = [place for place in range(len(objects.labels)) if objects.ignore[place]]
    pairs: Counter[tuple[int, int]] = Counter()
    rest = []
    for n in np.argsort(-found.scores):
        if found.scores[n] < score:
            continue
        label, box = int(found.labels[n]), found.boxes[n]
        met = largest(box, objects, [place for place in free if objects.labels[place] == label], iou)
        if met is not None:
            free.remove(met)
            pairs[label, label] += 1
        elif largest(box, objects, [place for place in crowds if objects.labels[place] == label], iou) is None:
            rest.append(n)
    for n in rest:
        met = largest(found.boxes[n], objects, free, iou)
        pairs[CLASSES if met is None else int(objects.labels[met]), int(found.labels[n])] += 1
        if met is not None:
            free.remove(met)
    for place in free:
        pairs[int(objects.labels[place]), CLASSES] += 1
    return pairs


def counted(found: Confusions, iou: float, score: float) -> Counter[tuple[int, int]]:
    at = found.scores.index(score)
    cells = found.cells[found.ious.index(iou)]
    return Counter({(truth, box): counts[at] for truth, box, counts in cells if counts[at]})


@pytest.mark.parametrize("seed", range(12))
def test_counts_are_those_of_a_slow_reference_at_every_iou_and_score(seed: int) -> None:
    images = [random_image(100 * seed + n) for n in range(3)]
    ours = confusions("t", CLASSES, images)
    for iou in IOUS:
        for score in SCORES:
            wanted = sum((slowly(*image, iou, score) for image in images), Counter())
            assert counted(ours, iou, score) == wanted


def test_the_reference_meets_every_kind_of_pair() -> None:
    """Keep the comparison above from holding for want of cases."""
    images = [random_image(n) for n in range(12)]
    pairs = sum((slowly(*image, 0.5, 0.1) for image in images), Counter())
    kinds = {
        "background" if truth == CLASSES else "missed" if box == CLASSES else "right" if truth == box else "confused"
        for truth, box in pairs
    }
    assert kinds == {"background", "missed", "right", "confused"}


@pytest.mark.parametrize("seed", range(6))
def test_the_diagonal_counts_the_right_boxes_of_pycocotools(seed: int) -> None:
    objects, found = random_image(seed)
    objects = Objects(objects.boxes, objects.labels % 2, objects.ignore)
    found = VocFound(found.boxes, found.scores, found.labels % 2)
    order = np.argsort(-found.scores)
    met, counts = cocos_view(
        found.boxes[order], found.scores[order], found.labels[order], objects.boxes, objects.labels, objects.ignore
    )
    right = sum(place is not None and count for place, count in zip(met, counts, strict=True))
    least = float(found.scores.min())
    ours = confusions("t", 2, [(objects, VocFound(found.boxes, found.scores + 1.0 - least, found.labels))])
    assert sum(n for (truth, box), n in counted(ours, 0.5, 0.9).items() if truth == box) == right


def test_a_row_adds_up_to_the_objects_of_its_class_at_every_score() -> None:
    images = [random_image(n) for n in range(8)]
    ours = confusions("t", CLASSES, images)
    objects = Counter(int(label) for item, _ in images for label in item.labels[~item.ignore])
    for iou in IOUS:
        for score in SCORES:
            rows: Counter[int] = Counter()
            for (truth, _), number in counted(ours, iou, score).items():
                rows[truth] += number
            assert {label: rows[label] for label in objects} == objects


def test_boxes_that_are_not_finite_count_nowhere() -> None:
    objects, found = random_image(0)
    broken = VocFound(
        np.vstack([found.boxes, [[0, 0, np.inf, 5]], [[0, 0, 5, 5]]]),
        np.append(found.scores, [0.95, np.nan]),
        np.append(found.labels, [0, 0]),
    )
    assert confusions("t", CLASSES, [(objects, broken)]) == confusions("t", CLASSES, [(objects, found)])


def test_an_image_without_objects_or_without_boxes_is_counted() -> None:
    objects, found = random_image(0)
    none = Objects(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, bool))
    nothing = VocFound(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    only_boxes = confusions("t", CLASSES, [(none, found)])
    assert {truth for cells in only_boxes.cells for truth, _, _ in cells} == {CLASSES}
    only_objects = confusions("t", CLASSES, [(objects, nothing)])
    assert {box for cells in only_objects.cells for _, box, _ in cells} == {CLASSES}
    assert confusions("t", CLASSES, [(none, nothing)]).cells == ((), ())


def test_boxes_of_equal_scores_keep_their_order_and_broken_ones_are_left_out():
    scores = np.repeat([0.5, 0.9], 40)
    labels = np.arange(80)
    boxes = np.tile([0.0, 0.0, 1.0, 1.0], (80, 1))
    boxes[3, 2], scores[5] = np.inf, np.nan
    found, shown, classes = _ordered(VocFound(boxes, scores, labels))
    assert classes.tolist() == [*range(40, 80), *(place for place in range(40) if place not in (3, 5))]
    assert shown.tolist() == [0.9] * 40 + [0.5] * 38
    assert np.isfinite(found).all()
