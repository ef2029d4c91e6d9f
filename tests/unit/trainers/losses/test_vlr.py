"""Prove the valuable localization region against a loop over objects and anchors."""

from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.trainers.losses import reference
from tests.unit.trainers.losses.draws import boxes, generator
from trainers.distill.losses import vlr_weight

LEVEL_SIZES = [36, 9, 4, 1]
Overlap = Literal["iof", "iou"]
OVERLAPS: tuple[Overlap, Overlap] = ("iof", "iou")


def pyramid(seed: int) -> Tensor:
    """Draw anchors level by level, each level's twice as large; off the grid, so that no two are equally far."""
    levels = [
        boxes(size, seed + i, span=24.0, smallest=3.0 * 2**i, largest=4.0 * 2**i) for i, size in enumerate(LEVEL_SIZES)
    ]
    return torch.cat(levels)


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("objects", [1, 2, 7])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("topk", "ratio"), [(9, 0.25), (1, 0.25), (3, 0.8), (100, 0.0)])
def test_weights_equal_the_loop_reference(objects: int, seed: int, topk: int, ratio: float, overlap: Overlap) -> None:
    anchors_M4, objects_G4 = pyramid(10 * seed), boxes(objects, 100 + seed, span=20.0, smallest=3.0, largest=14.0)
    valid_M = torch.rand(len(anchors_M4), generator=generator(seed)) < 0.8
    wanted = reference.vlr(
        anchors_M4.tolist(), objects_G4.tolist(), LEVEL_SIZES, valid_M.tolist(), topk, ratio, overlap
    )
    actual = vlr_weight(anchors_M4, objects_G4, LEVEL_SIZES, valid_M=valid_M, topk=topk, ratio=ratio, overlap=overlap)
    assert actual.tolist() == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    if objects == 7:  # fewer may have no region at all
        assert 0 < sum(weight > 0 for weight in wanted) < len(wanted)


def test_an_anchor_inside_an_object_is_too_near_by_its_own_area_and_not_by_the_union() -> None:
    # A quarter of the object: the threshold is IoU 1/4, the anchor is covered whole.
    thing = torch.tensor([[0.0, 0.0, 8.0, 8.0]])
    small = torch.tensor([[1.9, 2.0, 5.9, 6.0]])
    assert vlr_weight(small, thing, [1], overlap="iou").tolist() == [0.25]
    assert vlr_weight(small, thing, [1], overlap="iof").tolist() == [0.0]


def test_all_anchors_are_valid_unless_said_otherwise() -> None:
    anchors_M4, objects_G4 = pyramid(3), boxes(3, 4, span=20.0, smallest=3.0, largest=14.0)
    every = torch.ones(len(anchors_M4), dtype=torch.bool)
    assert torch.equal(
        vlr_weight(anchors_M4, objects_G4, LEVEL_SIZES),
        vlr_weight(anchors_M4, objects_G4, LEVEL_SIZES, valid_M=every),
    )


def test_padding_counts_for_nothing_whatever_its_boxes_are() -> None:
    anchors_M4, objects_G4 = pyramid(3), boxes(3, 4, span=20.0, smallest=3.0, largest=14.0)
    valid_M = torch.arange(len(anchors_M4)) % 4 != 0
    wanted = vlr_weight(anchors_M4, objects_G4, LEVEL_SIZES, valid_M=valid_M)
    for bad in (torch.nan, torch.inf, 1e30):
        anchors_M4[~valid_M] = bad
        assert torch.equal(vlr_weight(anchors_M4, objects_G4, LEVEL_SIZES, valid_M=valid_M), wanted)
    assert not wanted[~valid_M].any()


def test_nothing_to_look_at_gives_zeros() -> None:
    anchors_M4 = pyramid(3).float()
    none = torch.zeros(len(anchors_M4), dtype=torch.bool)
    assert torch.equal(vlr_weight(anchors_M4, torch.zeros(0, 4), LEVEL_SIZES), torch.zeros(len(anchors_M4)))
    assert vlr_weight(torch.zeros(0, 4), anchors_M4[:2], [0, 0]).shape == (0,)
    assert not vlr_weight(anchors_M4, anchors_M4[:2], LEVEL_SIZES, valid_M=none).any()


def test_an_object_without_area_or_out_of_reach_has_no_region() -> None:
    objects_G4 = torch.tensor([[4.0, 4.0, 4.0, 4.0], [900.0, 900.0, 950.0, 950.0]], dtype=torch.float64)
    assert not vlr_weight(pyramid(3), objects_G4, LEVEL_SIZES).any()


def test_a_single_candidate_has_no_spread() -> None:
    # IoU 0.5 is mean and threshold; less the distance of the centres, it is below.
    anchor, thing = torch.tensor([[0.0, 0.0, 2.0, 1.0]]), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    assert vlr_weight(anchor, thing, [1]).tolist() == [0.5]


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_an_anchor_at_the_threshold_is_outside(overlap: Overlap) -> None:
    thing = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    assert vlr_weight(thing, thing, [1], overlap=overlap).tolist() == [0.0]


def test_an_anchor_of_two_regions_takes_the_larger_overlap() -> None:
    anchor = torch.tensor([[0.0, 0.0, 2.0, 1.0]])
    objects_G4 = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.5, 1.0]])
    assert vlr_weight(anchor, objects_G4, [1]).tolist() == [0.75]
    assert vlr_weight(anchor, objects_G4.flip(0), [1]).tolist() == [0.75]


@given(
    seed=st.integers(0, 10_000),
    objects=st.integers(1, 5),
    scale=st.sampled_from([0.25, 1.0, 8.0]),
    shift=st.sampled_from([-16.0, 0.0, 32.0]),
    overlap=st.sampled_from(OVERLAPS),
)
def test_weights_are_overlaps_and_depend_on_neither_unit_nor_order(
    seed: int, objects: int, scale: float, shift: float, overlap: Overlap
) -> None:
    anchors_M4, objects_G4 = pyramid(seed), boxes(objects, seed + 50, span=20.0, smallest=3.0, largest=14.0)
    weight_M = vlr_weight(anchors_M4, objects_G4, LEVEL_SIZES, overlap=overlap)
    moved_M = vlr_weight(scale * anchors_M4 + shift, scale * objects_G4.flip(0) + shift, LEVEL_SIZES, overlap=overlap)
    assert ((weight_M >= 0.0) & (weight_M <= 1.0)).all()
    torch.testing.assert_close(moved_M, weight_M, rtol=1e-9, atol=1e-12)


def test_half_boxes_are_computed_in_float32() -> None:
    anchors_M4, objects_G4 = pyramid(3).half(), boxes(3, 4, span=20.0, smallest=3.0, largest=14.0).half()
    wanted_M = vlr_weight(anchors_M4.float(), objects_G4.float(), LEVEL_SIZES)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual_M = vlr_weight(anchors_M4, objects_G4, LEVEL_SIZES)
    assert actual_M.dtype == torch.float32
    assert torch.equal(actual_M, wanted_M)


ANCHORS, OBJECTS = torch.zeros(6, 4), torch.zeros(2, 4)


@pytest.mark.parametrize(
    ("anchors", "objects", "sizes", "valid", "topk", "message"),
    [
        (ANCHORS[:, :3], OBJECTS, [6], None, 9, r"anchors.*\(6, 3\)"),
        (ANCHORS, OBJECTS[0], [6], None, 9, r"objects.*\(4,\)"),
        (ANCHORS, OBJECTS, [3, 2], None, 9, r"\[3, 2\].*6 anchors"),
        (ANCHORS, OBJECTS, [6], torch.ones(5, dtype=torch.bool), 9, r"\(6,\).*\(5,\)"),
        (ANCHORS, OBJECTS, [6], torch.ones(6), 9, "bool"),
        (ANCHORS, OBJECTS, [6], None, 0, "topk must be at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_refused(
    anchors: Tensor, objects: Tensor, sizes: list[int], valid: Tensor | None, topk: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        vlr_weight(anchors, objects, sizes, valid_M=valid, topk=topk)


def test_an_unknown_overlap_is_refused() -> None:
    with pytest.raises(ValueError, match="'iof' or 'iou', got 'diou'"):
        vlr_weight(ANCHORS, OBJECTS, [6], overlap="diou")  # type: ignore[arg-type]
