"""Inputs that do not fit are refused before broadcasting makes something of them: every rule, each at its limit."""

from typing import Any

import pytest
import torch

from trainers.distill.losses import FocalWeights, channel_wise_distillation, focal_distillation
from trainers.distill.losses.boxes import paired_giou, paired_iou
from trainers.distill.losses.checks import check_anchor_count, check_boxes, check_distributions, check_logit_pair
from trainers.distill.losses.maps import check_levels, check_maps
from trainers.distill.losses.mgd import masked_generative_distillation
from trainers.distill.losses.vlr import vlr_weight

Shape = tuple[int, ...]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((3, 4), (2, 4)), ((2, 4), (3, 4)), ((3, 5), (3, 5)), ((3, 3), (3, 3)), ((4,), (4,)), ((4, 4), (4,)),
        ((3, 4, 4), (3, 4, 4)), ((3, 4), (3, 4, 1)), ((3, 4), (1, 4)), ((0, 4), (1, 4)), ((3, 0), (3, 0)),
    ],
)  # fmt: skip
def test_boxes_are_both_of_four_numbers_and_as_many(first: Shape, second: Shape) -> None:
    message = rf"a and b boxes must both be \(A, 4\), got \({', '.join(map(str, first))},?\)"
    with pytest.raises(ValueError, match=message):
        check_boxes("a", torch.zeros(first), "b", torch.zeros(second))
    for overlap in (paired_iou, paired_giou):
        with pytest.raises(ValueError, match=r"boxes must both be \(A, 4\)"):
            overlap(torch.zeros(first), torch.zeros(second))


@pytest.mark.parametrize(
    ("student", "teacher"),
    [((3, 2), (3, 1)), ((3, 1), (3, 2)), ((3, 2), (1, 2)), ((3, 0), (3, 0)), ((3,), (3,)), ((3, 2, 1), (3, 2, 1))],
)
def test_logits_are_both_of_as_many_anchors_and_classes(student: Shape, teacher: Shape) -> None:
    with pytest.raises(ValueError, match=r"logits must both be \(A, C\) with C >= 1"):
        check_logit_pair(torch.zeros(student), torch.zeros(teacher))


@pytest.mark.parametrize(
    ("student", "teacher"),
    [
        ((3, 4, 2), (3, 4, 1)), ((3, 4, 2), (1, 4, 2)), ((3, 4, 0), (3, 4, 0)), ((3, 5, 2), (3, 5, 2)),
        ((3, 4), (3, 4)), ((3, 4, 2, 1), (3, 4, 2, 1)),
    ],
)  # fmt: skip
def test_distributions_are_both_of_four_sides_and_as_many_bins(student: Shape, teacher: Shape) -> None:
    with pytest.raises(ValueError, match=r"distributions must both be \(A, 4, K\) with K >= 1"):
        check_distributions(torch.zeros(student), torch.zeros(teacher), torch.zeros(3))


def test_the_smallest_inputs_fit() -> None:
    for anchors in (0, 1):
        check_boxes("a", torch.zeros(anchors, 4), "b", torch.zeros(anchors, 4))
        check_logit_pair(torch.zeros(anchors, 1), torch.zeros(anchors, 1))
        check_distributions(torch.zeros(anchors, 4, 1), torch.zeros(anchors, 4, 1), torch.zeros(anchors))
        check_maps(torch.zeros(anchors, 1, 1, 1), torch.zeros(anchors, 1, 2, 2))
    check_levels([torch.zeros(1)], [torch.zeros(1)])


@pytest.mark.parametrize("weight", [(3, 1), (1,), (2,), (), (4,)])
def test_a_weight_is_one_number_an_anchor(weight: Shape) -> None:
    with pytest.raises(ValueError, match=r"weight must be \(A,\)"):
        check_anchor_count(torch.zeros(3, 4), torch.zeros(weight))


@pytest.mark.parametrize(
    ("student", "teacher"),
    [((1, 2, 3), (1, 2, 3)), ((1, 2, 3, 3), (1, 2, 3)), ((1, 2, 3, 3), (2, 2, 3, 3)), ((1, 2, 3, 3), (1, 1, 3, 3))],
)
def test_maps_agree_in_images_and_channels(student: Shape, teacher: Shape) -> None:
    for one, other in ((student, teacher), (teacher, student)):
        with pytest.raises(ValueError, match=r"maps must both be \(B, C, H, W\)"):
            check_maps(torch.zeros(one), torch.zeros(other))


@pytest.mark.parametrize(("student", "teacher"), [(0, 0), (1, 0), (0, 1), (1, 2), (2, 1)])
def test_pyramids_have_as_many_levels(student: int, teacher: int) -> None:
    maps = torch.zeros(1, 2, 3, 3)
    with pytest.raises(ValueError, match=f"at least 1: got {student} and {teacher}"):
        check_levels([maps] * student, [maps] * teacher)


@pytest.mark.parametrize("temperature", [0.0, -0.5, float("nan")])
def test_a_map_is_softened_by_a_positive_temperature(temperature: float) -> None:
    maps, objects = torch.zeros(1, 2, 3, 3), [torch.zeros(1, 4)]
    with pytest.raises(ValueError, match=f"temperature must be positive, got {temperature}"):
        focal_distillation(maps, maps, objects, FocalWeights(1.0, 1.0, 1.0), temperature=temperature)
    with pytest.raises(ValueError, match=f"temperature must be positive, got {temperature}"):
        channel_wise_distillation([maps], [maps], temperature=temperature)
    assert focal_distillation(maps, maps, objects, FocalWeights(1.0, 1.0, 1.0), temperature=1e-3).isfinite()


@pytest.mark.parametrize("count", [0, 2])
def test_each_image_has_its_objects_and_each_level_its_mask(count: int) -> None:
    maps = torch.zeros(1, 2, 3, 3)
    with pytest.raises(ValueError, match=f"1 images need as many sets of objects, got {count}"):
        focal_distillation(maps, maps, [torch.zeros(1, 4)] * count, FocalWeights(1.0, 1.0, 1.0), temperature=1.0)
    masks: Any = [torch.ones(1, 1, 3, 3, dtype=torch.bool)] * count
    with pytest.raises(ValueError, match="mask"):
        masked_generative_distillation([maps], [maps], masks, [torch.nn.Identity()])


@pytest.mark.parametrize("wrong", [(4,), (1, 4, 1), (2, 3), (2, 5)])
def test_anchors_and_objects_are_boxes(wrong: Shape) -> None:
    boxes = torch.zeros(2, 4)
    with pytest.raises(ValueError, match=r"^anchors must be boxes of shape \(number, 4\)"):
        vlr_weight(torch.zeros(wrong), boxes, [2])
    with pytest.raises(ValueError, match=r"^objects must be boxes of shape \(number, 4\)"):
        vlr_weight(boxes, torch.zeros(wrong), [2])
    assert vlr_weight(boxes, torch.zeros(0, 4), [2]).tolist() == [0.0, 0.0]
    assert vlr_weight(torch.zeros(0, 4), boxes, [0]).tolist() == []
