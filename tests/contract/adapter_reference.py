"""Work out from mmdet's heads themselves what an adapter has to say of the grid and of the assignment."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from mmdet.models.dense_heads import ATSSHead
from mmengine.structures import InstanceData
from torch import Tensor

Outs = Any
FIRST = {"GFLHead": 1, "ATSSHead": 1, "RetinaHead": 0}  # where labels stand in what get_targets returns
KNOWN = {*FIRST, "FCOSHead", "YOLOXHead", "VFNetHead", "RTMDetSepBNHead", "TOODHead"}


@dataclass(frozen=True)
class Assigned:
    """Hold weights and positives image by image, in each image level by level, and the number of positives per image.

    ``quality`` is the sum of the positives' qualities, of heads that give them one.
    """

    weight_A: Tensor
    positive_A: Tensor
    positives: list[int]
    quality: float | None = None


def grid(head: Any, outs: Outs) -> list[Tensor]:
    """Return one image's priors as mmdet makes them, a list over levels."""
    priors: list[Tensor] = head.prior_generator.grid_priors([level.shape[-2:] for level in outs[0]], device="cpu")
    return priors


def rows(head: Any, outs: Outs) -> list[tuple[int, int, int, int, int]]:
    """Return (image, level, y, x, anchor) of each of the A rows, by nested loops."""
    found = []
    for image in range(len(outs[0][0])):
        for level, scores in enumerate(outs[0]):
            height, width = scores.shape[-2:]
            for y in range(height):
                for x in range(width):
                    places = head.prior_generator.num_base_priors[level]
                    found += [(image, level, y, x, anchor) for anchor in range(places)]
    return found


def assigned(head: Any, outs: Outs, objects: list[Any], metas: list[Any]) -> Assigned:
    """Return how the head assigns ``objects``, asked without any adapter, one image at a time."""
    found = [_one(head, outs, image, objects[image], metas[image]) for image in range(len(metas))]
    counts = [int(positive.sum()) for _, positive, *_ in found]
    qualities = [float(image[2].double().sum()) for image in found if len(image) == 3]
    weight_A, positive_A = (torch.cat([image[part] for image in found]) for part in (0, 1))
    return Assigned(weight_A, positive_A, counts, sum(qualities) if qualities else None)


def _one(head: Any, outs: Outs, image: int, objects: Any, meta: Any) -> tuple[Tensor, ...]:
    """Return weights and positives of one image's anchors, and their qualities where the head has them."""
    name = type(head).__name__
    if name in FIRST:
        return _anchored(head, outs, objects, meta, FIRST[name])
    if name == "FCOSHead":
        return _points(head, outs, objects)
    kinds = {"YOLOXHead": _simota, "VFNetHead": _vfnet, "RTMDetSepBNHead": _rtmdet, "TOODHead": _tood}
    return kinds[name](head, outs, image, objects, meta)


def _anchored(head: Any, outs: Outs, objects: Any, meta: Any, first: int) -> tuple[Tensor, Tensor]:
    anchors, valid = head.get_anchors([level.shape[-2:] for level in outs[0]], [meta], device="cpu")
    labels, weights = head.get_targets(anchors, valid, [objects], [meta])[first : first + 2]
    return torch.cat([level[0] for level in weights]), _foreground(head, torch.cat([level[0] for level in labels]))


def _points(head: Any, outs: Outs, objects: Any) -> tuple[Tensor, Tensor]:
    labels = torch.cat(head.get_targets(grid(head, outs), [objects])[0])
    return torch.ones(len(labels)), _foreground(head, labels)


def _simota(head: Any, outs: Outs, image: int, objects: Any, meta: Any) -> tuple[Tensor, Tensor]:
    sizes = [level.shape[-2:] for level in outs[0]]
    priors = torch.cat(head.prior_generator.grid_priors(sizes, device="cpu", with_stride=True))
    scores, boxes, objectness = (
        torch.cat([level[image].permute(1, 2, 0).reshape(-1, level.shape[1]) for level in levels]).detach()
        for levels in outs
    )
    decoded = head._bbox_decode(priors, boxes[None])[0]
    positive = head._get_targets_single(priors, scores, decoded, objectness[:, 0], objects, meta)[0]
    return torch.ones(len(positive)), positive


def _vfnet(head: Any, outs: Outs, image: int, objects: Any, meta: Any) -> tuple[Tensor, ...]:
    scores = [level[image : image + 1] for level in outs[0]]
    labels, weights, _, _ = head.get_targets(scores, grid(head, outs), [objects], [meta])
    return torch.ones_like(weights) if head.use_vfl else weights, _foreground(head, torch.cat(labels))


def _rtmdet(head: Any, outs: Outs, image: int, objects: Any, meta: Any) -> tuple[Tensor, ...]:
    priors, valid, scores, distances = _flat(head, outs, image, meta)
    boxes = torch.cat([priors[:, :2] - distances[:, :2], priors[:, :2] + distances[:, 2:]], 1)
    _, labels, weights, _, qualities, _ = head._get_targets_single(scores, boxes, priors, valid, objects, meta)
    return weights, _foreground(head, labels), qualities


def _tood(head: Any, outs: Outs, image: int, objects: Any, meta: Any) -> tuple[Tensor, ...]:
    priors, valid, scores, boxes = _flat(head, outs, image, meta)
    counts = [level[0, 0].numel() for level in outs[0]]
    if head.initial_epoch > 0:
        found = ATSSHead._get_targets_single(head, priors, valid, counts, objects, meta)
        return found[2], _foreground(head, found[1]), found[4][:, 0]
    strides = [
        float(stride)
        for (stride, _), count in zip(head.prior_generator.strides, counts, strict=True)
        for _ in range(count)
    ]
    pixels = boxes * torch.tensor(strides)[:, None]
    _, labels, weights, _, qualities = head._get_targets_single(scores, pixels, priors, valid, objects, meta)
    return weights, _foreground(head, labels), qualities


def _flat(head: Any, outs: Outs, image: int, meta: Any) -> list[Tensor]:
    """Return one image's anchors, which of them are valid, scores and box predictions, level by level."""
    anchors, valid = head.get_anchors([level.shape[-2:] for level in outs[0]], [meta], device="cpu")
    maps = [[level[image].permute(1, 2, 0).reshape(-1, level.shape[1]) for level in levels] for levels in outs[:2]]
    return [torch.cat(list(levels)).detach() for levels in (anchors[0], valid[0], *maps)]


def _foreground(head: Any, labels: Tensor) -> Tensor:
    positive: Tensor = (labels >= 0) & (labels < head.num_classes)
    return positive


def normaliser(head: Any, found: Assigned) -> Any:
    """Return what one worker divides its classification loss by: anchor-based heads count at least one an image.

    Qualities are summed in another order than the head's.
    """
    positives = found.positives
    if found.quality is not None:
        return pytest.approx(max(found.quality, 1.0), rel=1e-6)
    if type(head).__name__ in FIRST:
        return float(sum(max(count, 1) for count in positives))
    return float(max(sum(positives), 1))


def activation(head: Any) -> Any:
    """Return what the head's stacked convolutions end with, for tensors that are to stay as they are."""
    block = next(module for module in head.cls_convs.modules() if type(module).__name__ == "ConvModule")
    return lambda features: block.activate(features.clone())


def objects_of(boxes: list[Tensor]) -> list[InstanceData]:
    """Return boxes as objects of class 0."""
    return [InstanceData(bboxes=each, labels=torch.zeros(len(each), dtype=torch.int64)) for each in boxes]


def own_boxes(head: Any, outs: Outs, metas: list[Any]) -> list[Tensor]:
    """Return every box, in pixels, that the head's own prediction decodes, image by image, in any order, repeated.

    Nothing is filtered by score or suppressed; images are taken to be endless, so nothing is clipped but what lies
    left of or above them.
    """
    from mmengine.config import ConfigDict

    test_cfg = ConfigDict(score_thr=-1.0, nms_pre=10**6, min_bbox_size=-1, max_per_img=10**6)
    endless = [{**meta, "img_shape": (10**6, 10**6)} for meta in metas]
    with torch.no_grad():
        found = head.predict_by_feat(*outs, batch_img_metas=endless, cfg=test_cfg, rescale=False, with_nms=False)
    return [image.bboxes for image in found]
