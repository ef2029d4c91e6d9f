"""Adapt mmdet's FCOS head."""

import math
from typing import Any, ClassVar

import torch
from mmdet.models.utils import multi_apply
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor

from trainers.distill.adapters.base import Adapter, Targets
from trainers.distill.adapters.grid import GridOutputs
from trainers.distill.adapters.limits import LARGEST_SIDE, limit_output
from trainers.distill.head_outputs import Anchors, HeadOutputs, lazy, stack_levels


class FcosOutputs(GridOutputs):
    """Adapt an FCOS head's outputs: ``(cls_scores, bbox_preds, centernesses)``, lists over levels.

    Logits are the class logits, which its focal loss supervises; the centerness is no part of the probability.
    ``bbox_preds`` are distances in pixels, except of a head with ``norm_on_bbox`` while it is trained, whose distances
    are in units of the stride: the object knows in which mode the head ran, and answers in units of the stride.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        head = self.adapter.head
        self._in_pixels = not (head.norm_on_bbox and head.training)

    @lazy
    def deltas_A4(self) -> Tensor:
        """Return the distances to the left, top, right and bottom side in units of the level's stride, (A, 4)."""
        distances_A4 = stack_levels(self.outs[1], 4)
        return distances_A4 / self.strides_A[:, None] if self._in_pixels else distances_A4

    @lazy
    def boxes_A4(self) -> Tensor:
        """Return decoded boxes in units of the level's stride, (A, 4); no side is further away than ``LARGEST_SIDE``."""
        return self.boxes_around(self.deltas_A4)

    def detached(self) -> "FcosOutputs":
        """Return the same predictions without graph, in the unit that they were made in."""
        found = super().detached()
        assert isinstance(found, FcosOutputs)
        found._in_pixels = self._in_pixels
        return found


class FcosAdapter(Adapter):
    """Connect ``FCOSHead``: assignment by place and size, independent of predictions; N is reduced over workers.

    All points weigh 1, those on padding too, as in the head's own loss. Distances that the head exponentiates are
    limited to ``LARGEST_SIDE``, in the head's own outputs too: it leaves a point in the background to grow freely.
    """

    outputs_class: ClassVar[type[HeadOutputs]] = FcosOutputs

    def __init__(self, detector: Any) -> None:
        super().__init__(detector)
        self.limit_sides()

    def limit_sides(self) -> None:
        """Limit the distances that the head exponentiates."""
        for scale in () if self.head.norm_on_bbox else self.head.scales:
            limit_output(scale, math.log(LARGEST_SIDE))

    @property
    def assigner(self) -> str:
        """Name how this head assigns targets, the unit of its box targets included."""
        head, grid = self.head, self.head.prior_generator
        sampling = (head.center_sampling, head.center_sample_radius) if head.center_sampling else ()
        return (
            f"{type(head).__name__} {grid.strides} {grid.offset} {head.regress_ranges} {sampling} "
            f"{head.norm_on_bbox} {head.num_classes}"
        )

    def anchors(self, head_outputs: HeadOutputs, targets: Targets) -> Anchors:
        """Return labels and levels of all points, each of weight 1; N is the divisor of the classification loss."""
        assert isinstance(head_outputs, GridOutputs)
        positive_A = self._positive(targets.value[0], head_outputs.images)
        level_A, image_A = head_outputs.anchor_index()
        return Anchors(
            weight_A=torch.ones_like(positive_A, dtype=torch.float32),
            positive_A=positive_A,
            level_A=level_A,
            image_A=image_A,
            num_levels=len(head_outputs.sizes),
            normaliser=reduce_mean(positive_A.sum().float()).clamp(min=1.0),
        )

    def match(self, head_outputs: HeadOutputs, boxes: list[Tensor], metas: list[Any]) -> Tensor:
        """Return which points (bool, (A,)) the head's own assignment gives to ``boxes`` (pixels, a list over images)."""
        assert isinstance(head_outputs, GridOutputs)
        objects = [InstanceData(bboxes=b, labels=b.new_zeros(len(b), dtype=torch.int64)) for b in boxes]
        labels, _ = self.head.get_targets(head_outputs.priors(), objects)
        return self._positive(labels, head_outputs.images)

    def predict(self, cls: list[Tensor], box: list[Tensor]) -> Any:
        """Return ``(cls_scores, bbox_preds, centernesses)`` for features after the stacked convolutions."""
        return multi_apply(self._predict_level, cls, box, self.head.scales, self.head.strides)

    def _predict_level(self, cls: Tensor, box: Tensor, scale: Any, stride: int) -> tuple[Tensor, Tensor, Tensor]:
        head = self.head
        distances = scale(head.conv_reg(box)).float()
        if head.norm_on_bbox:
            distances = distances.clamp(min=0) * (1 if head.training else stride)
        else:
            distances = distances.exp()
        return head.conv_cls(cls), distances, head.conv_centerness(box if head.centerness_on_reg else cls)

    def _positive(self, labels: list[Tensor], images: int) -> Tensor:
        """Return which points are positive, (A,), from labels, a list over levels, each image by image."""
        label_A = torch.cat([level.reshape(images, -1) for level in labels], 1).flatten()
        return (label_A >= 0) & (label_A < self.head.num_classes)
