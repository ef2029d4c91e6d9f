"""Prove the losses on pyramid features (CWD, MGD, FGD, score-weighted) against loops written from the papers."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.unit.trainers.losses import feature_reference as reference
from tests.unit.trainers.losses.draws import assert_equal, assert_same_with_gradient, normal, twins
from trainers.distill.connectors import context_block, generator
from trainers.distill.losses import (
    FocalWeights,
    channel_wise_distillation,
    focal_distillation,
    global_distillation,
    kept_places,
    masked_generative_distillation,
    score_weighted_distillation,
)
from trainers.distill.losses.fgd import foreground_and_background

BOTH = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 3e-4)], ids=["f64", "f32"]
)
SIZES = pytest.mark.parametrize("size", [(4, 3), (2, 5), (1, 1)], ids=str)  # the teacher's; the student has (4, 3)
STUDENT, CHANNELS = (2, 3, 4, 3), 3
Boxes = Sequence[Sequence[reference.Box]]
# In cells of a 4 x 3 map: two that overlap, one of less than a cell, one that reaches beyond the map, none.
OBJECTS: Boxes = (((0.2, 0.0, 1.5, 2.0), (0.0, 0.0, 3.0, 4.0), (2.1, 3.2, 2.3, 3.4)), ())
WEIGHTS = (0.7, 0.4, 0.3)


def shares(objects: Boxes, size: tuple[int, int]) -> list[Tensor]:
    """Turn boxes in cells into shares of the image's width and height."""
    height, width = size
    scale = torch.tensor([width, height, width, height], dtype=torch.float64)
    return [torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4) / scale for boxes in objects]


def scores(size: tuple[int, int], seed: int = 4) -> Tensor:
    return normal(2, 1, *size, seed=seed).sigmoid()


def block(dtype: torch.dtype, seed: int = 5) -> nn.Sequential:
    layers = generator(CHANNELS).to(dtype)
    with torch.no_grad():
        for weight in layers.parameters():
            weight.copy_(normal(*weight.shape, seed=seed, scale=0.3))
    return layers


# ---------------------------------------------------------------------------------------- against the references


@BOTH
@SIZES
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_cwd_equals_the_loops(size: tuple[int, int], temperature: float, dtype: torch.dtype, tolerance: float) -> None:
    mine, theirs = twins(normal(*STUDENT, seed=1), dtype)
    teacher = normal(2, CHANNELS, *size, seed=2)
    actual = channel_wise_distillation([mine, mine], [teacher.to(dtype)] * 2, temperature=temperature)
    wanted = reference.cwd([theirs, theirs], [teacher] * 2, temperature)
    if size == (1, 1):  # one place has all of it
        assert actual.item() == pytest.approx(0.0, abs=1e-12)
        assert not torch.autograd.grad(actual, mine)[0].any()
    else:
        assert_same_with_gradient(actual, wanted, (mine, theirs), tolerance)


@BOTH
@SIZES
def test_mgd_equals_the_loops(size: tuple[int, int], dtype: torch.dtype, tolerance: float) -> None:
    mine, theirs = twins(normal(*STUDENT, seed=1), dtype)
    teacher, kept = normal(2, CHANNELS, *size, seed=2), kept_places([3, 4], size, 0.4)
    first, _, second = block(torch.float64)

    def by_hand(maps: Tensor) -> Tensor:
        images = [reference.convolve(image, first.weight, first.bias).clamp(min=0.0) for image in maps]
        return torch.stack([reference.convolve(image, second.weight, second.bias) for image in images])

    actual = masked_generative_distillation([mine], [teacher.to(dtype)], [kept], [block(dtype)])
    wanted = reference.mgd([theirs], [teacher], [kept], by_hand)
    assert_same_with_gradient(actual, wanted, (mine, theirs), tolerance)


@BOTH
@SIZES
def test_fgds_focal_part_equals_the_loops(size: tuple[int, int], dtype: torch.dtype, tolerance: float) -> None:
    mine, theirs = twins(normal(*STUDENT, seed=1), dtype)
    teacher = normal(2, CHANNELS, *size, seed=2)
    objects = [boxes.to(dtype) for boxes in shares(OBJECTS, size)]
    actual = focal_distillation(mine, teacher.to(dtype), objects, FocalWeights(*WEIGHTS), temperature=0.5)
    wanted = reference.fgd_focal(theirs, teacher, OBJECTS, WEIGHTS, 0.5)
    assert_same_with_gradient(actual, wanted, (mine, theirs), tolerance)


def test_fgds_global_part_equals_the_loops() -> None:
    mine, theirs = twins(normal(2, CHANNELS + 1, 4, 3, seed=1), torch.float64)
    teacher = normal(2, CHANNELS + 1, 4, 3, seed=2)
    blocks = [context_block(CHANNELS + 1).double() for _ in range(2)]
    for number, one in enumerate(blocks):
        with torch.no_grad():
            for weight in one.parameters():
                weight.copy_(normal(*weight.shape, seed=10 + number))
    actual = global_distillation(blocks[0](mine), blocks[1](teacher))
    sides = zip(blocks, (theirs, teacher), strict=True)
    made = [torch.stack([reference.context(image, named(one)) for image in maps]) for one, maps in sides]
    wanted = (made[0] - made[1]).flatten().square().sum() / len(teacher)
    assert_same_with_gradient(actual, wanted, (mine, theirs), 1e-9)


def named(one: Any) -> dict[str, Tensor]:
    """Return the weights of a context block by what they do."""
    down, norm, _, up = one.channel_add_conv
    return {
        "where": one.conv_mask.weight.flatten(),
        "where_bias": one.conv_mask.bias.squeeze(),
        "down": down.weight.flatten(1),
        "down_bias": down.bias,
        "scale": norm.weight.flatten(),
        "shift": norm.bias.flatten(),
        "up": up.weight.flatten(1),
        "up_bias": up.bias,
    }


@BOTH
@SIZES
def test_the_score_weighted_loss_equals_the_loops(size: tuple[int, int], dtype: torch.dtype, tolerance: float) -> None:
    mine, theirs = twins(normal(*STUDENT, seed=1), dtype)
    teacher, weight = normal(2, CHANNELS, *size, seed=2), scores(size)
    actual = score_weighted_distillation([mine] * 2, [teacher.to(dtype)] * 2, [weight] * 2)
    wanted = reference.feature([theirs] * 2, [teacher] * 2, [weight] * 2)
    assert_same_with_gradient(actual, wanted, (mine, theirs), tolerance)


# ------------------------------------------------------------------------------------ gradients of the values


def cwd(student: Tensor, teacher: Tensor) -> Tensor:
    return channel_wise_distillation([student], [teacher], temperature=2.0)


def mgd(student: Tensor, teacher: Tensor) -> Tensor:
    size = (teacher.shape[2], teacher.shape[3])
    kept = kept_places(range(len(teacher)), size, 0.4)
    return masked_generative_distillation([student], [teacher], [kept], [block(torch.float64)])


def focal(student: Tensor, teacher: Tensor) -> Tensor:
    size = (teacher.shape[2], teacher.shape[3])
    objects = shares(OBJECTS, size)[: len(teacher)]
    return focal_distillation(student, teacher, objects, FocalWeights(*WEIGHTS), temperature=0.5)


def weighted(student: Tensor, teacher: Tensor) -> Tensor:
    size = (teacher.shape[2], teacher.shape[3])
    return score_weighted_distillation([student], [teacher], [scores(size)[: len(teacher)]])


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"cwd": cwd, "mgd": mgd, "fgd": focal, "feature": weighted}
EACH = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@EACH
def test_gradients_are_those_of_the_values(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    student, teacher = normal(2, CHANNELS, 4, 3, seed=6).requires_grad_(), normal(2, CHANNELS, 3, 4, seed=7)
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), student)


@EACH
def test_no_images_are_zero_and_connected(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    student = torch.zeros(0, CHANNELS, 4, 3, dtype=torch.float64, requires_grad=True)
    found = loss(student, torch.zeros(0, CHANNELS, 4, 3, dtype=torch.float64))
    assert found.item() == 0.0
    assert torch.autograd.grad(found, student)[0].shape == student.shape


@EACH
@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (1, 3, 4, 3), (3, 4, 3)], ids=["channels", "images", "axes"])
def test_maps_that_disagree_are_refused(loss: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"maps must both be|sets of objects"):
        loss(torch.zeros(shape, dtype=torch.float64), torch.zeros(2, CHANNELS, 4, 3, dtype=torch.float64))


@pytest.mark.parametrize("name", ["cwd", "mgd", "fgd", "feature"])
def test_two_workers_of_as_many_images_are_one_with_all(name: str) -> None:
    """But for the score-weighted loss, each worker of which divides by the scores of its own images."""
    student, teacher = normal(*STUDENT, seed=8), normal(*STUDENT, seed=9)
    whole, parts = worker(name, student, teacher, [0, 1]), [worker(name, student, teacher, [i]) for i in (0, 1)]
    if name == "feature":
        assert float(sum(parts)) / 2 != pytest.approx(float(whole), rel=1e-3)
        weights = [scores((4, 3))[i].sum() for i in (0, 1)]
        assert float(sum(w * p for w, p in zip(weights, parts, strict=True)) / sum(weights)) == pytest.approx(
            float(whole)
        )
    else:
        assert float(sum(parts)) / 2 == pytest.approx(float(whole), rel=1e-12)


def worker(name: str, student: Tensor, teacher: Tensor, images: list[int]) -> Tensor:
    """Compute a loss on some images of a batch; what it is told of an image is the image's own."""
    mine, theirs, size = student[images], teacher[images], (4, 3)
    if name == "cwd":
        return cwd(mine, theirs)
    if name == "mgd":
        return masked_generative_distillation(
            [mine], [theirs], [kept_places(images, size, 0.4)], [block(torch.float64)]
        )
    if name == "fgd":
        objects = [shares(OBJECTS, size)[i] for i in images]
        return focal_distillation(mine, theirs, objects, FocalWeights(*WEIGHTS), temperature=0.5)
    return score_weighted_distillation([mine], [theirs], [scores(size)[images]])


# ------------------------------------------------------------------------------------------------- edge cases


def test_a_constant_added_to_a_channel_changes_nothing_in_cwd() -> None:
    student, teacher = normal(*STUDENT, seed=1), normal(*STUDENT, seed=2)
    shift = normal(1, CHANNELS, 1, 1, seed=3)
    assert_equal(cwd(student + shift, teacher), cwd(student, teacher), 1e-9)


def test_equal_maps_have_no_loss() -> None:
    same = normal(*STUDENT, seed=1)
    assert [float(loss(same, same.clone())) for name, loss in LOSSES.items() if name != "mgd"] == [0.0, 0.0, 0.0]


def test_kept_places_are_a_function_of_the_seed_and_hide_the_share() -> None:
    before = torch.random.get_rng_state()
    first, second = kept_places([7, 8], (40, 50), 0.65), kept_places([8], (40, 50), 0.65)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first[1], second[0])
    assert not torch.equal(first[0], first[1])
    assert 1.0 - first.float().mean().item() == pytest.approx(0.65, abs=0.02)
    assert kept_places([7], (3, 3), 0.0).all()


def test_an_image_that_is_one_object_has_no_background() -> None:
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    foreground, background = foreground_and_background([whole], (2, 3), whole)
    assert foreground.unique().tolist() == [1 / 12]  # 3 x 4 cells, for the one after the high corner counts
    assert not background.any()


def test_without_scores_the_weighted_loss_is_zero() -> None:
    student = normal(*STUDENT, seed=1).requires_grad_()
    loss = score_weighted_distillation([student], [normal(*STUDENT, seed=2)], [torch.zeros(2, 1, 4, 3)])
    assert loss.item() == 0.0
    assert not torch.autograd.grad(loss, student)[0].any()


@pytest.mark.parametrize("wrong", [torch.zeros(2, 1, 3, 4), torch.zeros(2, 3, 4, 3)])
def test_masks_and_scores_of_another_shape_are_refused(wrong: Tensor) -> None:
    maps = normal(*STUDENT, seed=1)
    with pytest.raises(ValueError, match="a mask must be"):
        masked_generative_distillation([maps], [maps], [wrong.bool()], [block(torch.float64)])
    with pytest.raises(ValueError, match="scores must be"):
        score_weighted_distillation([maps], [maps], [wrong])
