"""Prove GID's choice of boxes and its response loss against loops written from the formulas."""

from typing import Any, Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.trainers.losses import reference
from tests.unit.trainers.losses.draws import assert_same_with_gradient, boxes, generator, normal, twins
from trainers.distill.losses import general_instances, gid_response

IMAGES, EACH, CLASSES, ANCHORS = 3, 60, 4, 8
OPTIONS = {"top_k": 10, "iou": 0.3, "pre": 3000, "min_side": 10.0}
GAPS: tuple[Literal["score", "class"], ...] = ("score", "class")


def views(seed: int, spread: float = 200.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw student's and teacher's logits and boxes of up to 60 pixels, some below the smallest side."""
    logits = [normal(IMAGES * EACH, CLASSES, seed=seed + i, scale=2.0) for i in range(2)]
    found = [boxes(IMAGES * EACH, seed + 10 + i, span=spread, smallest=4.0, largest=60.0) - 20.0 for i in range(2)]
    return logits[0], logits[1], found[0], found[1]


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("sizes", [None, [(180, 200), (64, 230), (200, 90)]], ids=["open", "clipped"])
@pytest.mark.parametrize("change", [{}, {"pre": 12}, {"iou": 0.05, "top_k": 4}, {"min_side": 30.0}])
def test_instances_equal_the_loop_reference(
    change: dict[str, Any], sizes: list[tuple[int, int]] | None, gap: Literal["score", "class"]
) -> None:
    options: dict[str, Any] = OPTIONS | change
    inputs = views(1)
    actual = general_instances(*inputs, IMAGES, image_sizes=sizes, gap=gap, **options)
    assert len(actual) == IMAGES
    for image, found in enumerate(actual):
        student, teacher, mine, theirs = (part[image * EACH : (image + 1) * EACH].tolist() for part in inputs)
        size = None if sizes is None else sizes[image]
        wanted = reference.general_instances((student, teacher), (mine, theirs), size, options, gap)
        assert wanted
        torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64))


def test_the_surer_detector_gives_the_box() -> None:
    # The student has the highest score of all, the teacher leads where the two differ most.
    student_AC, teacher_AC = torch.tensor([[3.0, -5.0]]), torch.tensor([[2.0, 2.0]])
    mine, theirs = torch.tensor([[0.0, 0.0, 20.0, 20.0]]), torch.tensor([[50.0, 50.0, 90.0, 90.0]])
    assert torch.equal(general_instances(student_AC, teacher_AC, mine, theirs, 1, gap="score")[0], mine)
    assert torch.equal(general_instances(student_AC, teacher_AC, mine, theirs, 1, gap="class")[0], theirs)


@given(seed=st.integers(0, 10_000), top_k=st.integers(1, 20), gap=st.sampled_from(GAPS))
def test_instances_are_few_large_and_apart(seed: int, top_k: int, gap: Literal["score", "class"]) -> None:
    inputs = views(seed)
    for found in general_instances(*inputs, IMAGES, top_k=top_k, gap=gap):
        assert len(found) <= top_k
        assert (found[:, 2:] - found[:, :2] > 10.0).all()
        rows = found.tolist()
        overlaps = [reference.iou(a, b) for i, a in enumerate(rows) for b in rows[:i]]
        assert max(overlaps, default=0.0) <= 0.3 + 1e-12
        given_boxes = torch.cat(inputs[2:])
        assert all((given_boxes == box).all(dim=1).any() for box in found)


def test_anchors_that_are_not_finite_are_passed_over() -> None:
    student, teacher, mine, theirs = views(2)
    bad_A = torch.arange(len(student)) % 3 == 0
    wanted = general_instances(*(part.view(IMAGES, EACH, -1)[:, 1::3].flatten(0, 1) for part in views(2)), IMAGES)
    keep = torch.arange(EACH) % 3 == 1
    dead_A = ~keep.repeat(IMAGES)
    student[dead_A & bad_A] = torch.nan
    for found in (mine, theirs):  # wide enough, were it not for the infinite corner
        found[dead_A & ~bad_A, 2:] = torch.inf
    for actual, expected in zip(general_instances(student, teacher, mine, theirs, IMAGES), wanted, strict=True):
        assert torch.equal(actual, expected)


def test_images_may_have_no_instances_or_no_anchors() -> None:
    student, teacher, mine, _ = views(3)
    tiny = torch.cat([mine[:, :2], mine[:, :2] + 1.0], dim=1)
    assert [len(found) for found in general_instances(student, teacher, tiny, tiny, IMAGES)] == [0, 0, 0]
    none = general_instances(student[:0], teacher[:0], mine[:0], mine[:0], IMAGES)
    assert [tuple(found.shape) for found in none] == [(0, 4)] * IMAGES


def test_choosing_needs_no_graph_and_half_inputs_are_widened() -> None:
    inputs = [part.half().requires_grad_() for part in views(4)]
    wanted = general_instances(*(part.float() for part in inputs), IMAGES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual = general_instances(*inputs, IMAGES)
    for found, expected in zip(actual, wanted, strict=True):
        assert not found.requires_grad
        assert torch.equal(found, expected)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 2e-4)], ids=["f64", "f32"])
@pytest.mark.parametrize("weights", [(0.1, 1.0), (1.0, 0.0), (0.0, 2.0)])
@pytest.mark.parametrize("classes", [1, CLASSES])
def test_the_response_equals_the_loop_reference(
    classes: int, weights: tuple[float, float], dtype: torch.dtype, tolerance: float
) -> None:
    logits = twins(normal(ANCHORS, classes, seed=5, scale=3.0), dtype)
    deltas = twins(normal(ANCHORS, 4, seed=6), dtype)
    targets, shifts = normal(ANCHORS, classes, seed=7).to(dtype), normal(ANCHORS, 4, seed=8).to(dtype)
    matched_A = torch.rand(ANCHORS, generator=generator(9)) < 0.5
    actual = gid_response(
        logits[0], targets, deltas[0], shifts, matched_A, cls_weight=weights[0], box_weight=weights[1]
    )
    wanted = reference.gid(logits[1], targets.double(), deltas[1], shifts.double(), matched_A.tolist(), weights)
    if weights[0]:
        assert_same_with_gradient(actual, wanted, logits, tolerance)
    if weights[1]:
        actual = gid_response(
            logits[0], targets, deltas[0], shifts, matched_A, cls_weight=weights[0], box_weight=weights[1]
        )
        wanted = reference.gid(logits[1], targets.double(), deltas[1], shifts.double(), matched_A.tolist(), weights)
        assert_same_with_gradient(actual, wanted, deltas, tolerance)


def test_response_gradients_are_those_of_the_values() -> None:
    logits, deltas = normal(ANCHORS, CLASSES, seed=5).requires_grad_(), normal(ANCHORS, 4, seed=6).requires_grad_()
    targets, shifts = normal(ANCHORS, CLASSES, seed=7), normal(ANCHORS, 4, seed=8)
    matched_A = torch.arange(ANCHORS) % 2 == 0
    assert torch.autograd.gradcheck(lambda s, d: gid_response(s, targets, d, shifts, matched_A), (logits, deltas))


def test_equal_responses_pull_nowhere() -> None:
    logits, deltas = normal(ANCHORS, CLASSES, seed=5).requires_grad_(), normal(ANCHORS, 4, seed=6).requires_grad_()
    matched_A = torch.ones(ANCHORS, dtype=torch.bool)
    loss = gid_response(logits, logits.detach(), deltas, deltas.detach(), matched_A)
    slopes = torch.autograd.grad(loss, (logits, deltas))
    assert all(slope.abs().max() < 1e-15 for slope in slopes)


def test_nothing_matched_is_zero_and_connected() -> None:
    logits, deltas = normal(ANCHORS, CLASSES, seed=5).requires_grad_(), normal(ANCHORS, 4, seed=6).requires_grad_()
    loss = gid_response(
        logits, normal(ANCHORS, CLASSES, seed=7), deltas, deltas.detach() + 1.0, torch.zeros(ANCHORS).bool()
    )
    assert loss.item() == 0.0
    assert not any(slope.any() for slope in torch.autograd.grad(loss, (logits, deltas)))


LOGITS, BOXES = torch.zeros(6, 3), torch.zeros(6, 4)


@pytest.mark.parametrize(
    ("inputs", "images", "change", "message"),
    [
        ((LOGITS, LOGITS[:5], BOXES, BOXES), 2, {}, r"\(6, 3\) and \(5, 3\)"),
        ((LOGITS, LOGITS, BOXES[:5], BOXES[:5]), 2, {}, r"\(5, 4\).*\(6, 3\)"),
        ((LOGITS, LOGITS, BOXES, BOXES), 4, {}, "6 anchors.*4 images"),
        ((LOGITS, LOGITS, BOXES, BOXES), 0, {}, "6 anchors.*0 images"),
        ((LOGITS, LOGITS, BOXES, BOXES), 2, {"image_sizes": [(9, 9)]}, "1 sizes for 2 images"),
        ((LOGITS, LOGITS, BOXES, BOXES), 2, {"gap": "iou"}, "'score' or 'class', got 'iou'"),
    ],
)
def test_instances_of_inputs_that_disagree_are_refused(
    inputs: tuple[Tensor, ...], images: int, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        general_instances(*inputs, images, **change)


def test_a_response_mask_that_is_not_one_is_refused() -> None:
    with pytest.raises(TypeError, match=r"bool, got torch\.float32"):
        gid_response(LOGITS, LOGITS, BOXES, BOXES, torch.ones(6))
    with pytest.raises(ValueError, match=r"\(6, 3\).*\(6, 1\)"):
        gid_response(LOGITS, LOGITS, BOXES, BOXES, torch.ones(6, 1, dtype=torch.bool))
