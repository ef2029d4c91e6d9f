"""Work out from mmdet's heads themselves what an adapter has to say of the grid and of the assignment."""

from dataclasses import dataclass
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import Tensor

Outs = Any
FIRST = {"GFLHead": 1, "ATSSHead": 1, "RetinaHead": 0}  # where labels stand in what get_targets returns
KNOWN = {*FIRST, "FCOSHead", "YOLOXHead"}


@dataclass(frozen=True)
class Assigned:
    """Hold weights and positives image by image, in each image level by level, and the number of positives per image."""

    weight_A: Tensor
    positive_A: Tensor
    positives: list[int]


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
    counts = [int(positive.sum()) for _, positive in found]
    return Assigned(torch.cat([weight for weight, _ in found]), torch.cat([positive for _, positive in found]), counts)


def _one(head: Any, outs: Outs, image: int, objects: Any, meta: Any) -> tuple[Tensor, Tensor]:
    name = type(head).__name__
    if name in FIRST:
        return _anchored(head, outs, objects, meta, FIRST[name])
    return _points(head, outs, objects) if name == "FCOSHead" else _simota(head, outs, image, objects, meta)


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


def _foreground(head: Any, labels: Tensor) -> Tensor:
    positive: Tensor = (labels >= 0) & (labels < head.num_classes)
    return positive


def normaliser(head: Any, positives: list[int]) -> float:
    """Return what one worker divides its classification loss by: anchor-based heads count at least one an image."""
    if type(head).__name__ in FIRST:
        return float(sum(max(count, 1) for count in positives))
    return float(max(sum(positives), 1))


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
