"""Adapt mmdet's YOLOX head."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmdet.utils import reduce_mean
from torch import Tensor

from trainers.compat.mmdet_parts import yolox_assignments
from trainers.distill.adapters.base import Adapter, Targets
from trainers.distill.adapters.grid import GridOutputs
from trainers.distill.adapters.limits import LARGEST_SIDE, limit_output
from trainers.distill.head_outputs import Anchors, HeadOutputs, lazy, stack_levels


class YoloxOutputs(GridOutputs):
    """Adapt a YOLOX head's outputs: ``(cls_scores, bbox_preds, objectnesses)``, lists over levels.

    The head trains class logits on positives alone and scores by sigmoid(class) * sigmoid(objectness); ``logits_AC``
    are the logits of that product, which mean something on every anchor.
    """

    @lazy
    def class_logits_AC(self) -> Tensor:
        """Return the class logits, (A, C)."""
        return stack_levels(self.outs[0], self.adapter.head.num_classes)

    @lazy
    def objectness_A(self) -> Tensor:
        """Return the objectness logits, (A,)."""
        return stack_levels(self.outs[2], 1).flatten()

    @lazy
    def logits_AC(self) -> Tensor:
        """Return the joint logits of class and objectness, (A, C), float32 or wider; gradient flows to both."""
        return joint_logits(self.class_logits_AC, self.objectness_A)

    @lazy
    def boxes_A4(self) -> Tensor:
        """Return decoded boxes in units of the level's stride, (A, 4); the adapter limits how far a side can grow."""
        offsets_A4 = stack_levels(self.outs[1], 4).float()
        centres_A2 = self.grid_points() + offsets_A4[:, :2]
        halves_A2 = offsets_A4[:, 2:].exp() / 2
        return torch.cat([centres_A2 - halves_A2, centres_A2 + halves_A2], 1)


class YoloxAdapter(Adapter):
    """Connect ``YOLOXHead``: assignment by SimOTA, which depends on predictions; N is reduced over workers.

    All anchors weigh 1, those on padding too, as in the head's own objectness loss. The sides that the head
    exponentiates are limited to ``LARGEST_SIDE``, in the head's own outputs too.
    """

    outputs_class = YoloxOutputs
    shares_targets = False

    def __init__(self, detector: Any) -> None:
        super().__init__(detector)
        strides = self.head.prior_generator.strides
        for layer, (stride, _) in zip(self.head.multi_level_conv_reg, strides, strict=True):
            limit_output(layer, math.log(LARGEST_SIDE / stride), first=2)

    @contextmanager
    def remembering(self, targets: Targets) -> Iterator[None]:
        """Store the head's assignments inside the block in ``targets``, a list over images."""
        with yolox_assignments(self.head) as found:
            yield
        targets.value = found

    def anchors(self, head_outputs: HeadOutputs, targets: Targets) -> Anchors:
        """Return positives and levels of all anchors, each of weight 1; N is the divisor of the head's losses."""
        assert isinstance(head_outputs, YoloxOutputs)
        positive_A = torch.cat([image[0] for image in targets.value])
        level_A, image_A = head_outputs.anchor_index()
        return Anchors(
            weight_A=torch.ones_like(positive_A, dtype=torch.float32),
            positive_A=positive_A,
            level_A=level_A,
            image_A=image_A,
            num_levels=len(head_outputs.sizes),
            normaliser=reduce_mean(positive_A.sum().float()).clamp(min=1.0),
        )

    def close(self, closing: bool) -> None:
        """Add the L1 loss of the boxes in the closing epochs, as YOLOX is trained."""
        self.head.use_l1 = closing


def joint_logits(class_AC: Tensor, objectness_A: Tensor) -> Tensor:
    """Return z with sigmoid(z) = sigmoid(class) * sigmoid(objectness), (A, C), in float32 at least.

    ``z = -logsumexp(-c, -o, -(c + o))``, from 1 / sigmoid(z) - 1 = (1 + exp(-c)) (1 + exp(-o)) - 1: no logit is too
    large for it. Gradient flows to both, dz/dc = (1 - sigmoid(c)) / (1 - sigmoid(c) sigmoid(o)), between 0 and 1.
    """
    dtype = torch.promote_types(class_AC.dtype, torch.float32)
    c, o = class_AC.to(dtype), objectness_A.to(dtype)[:, None].expand_as(class_AC)
    return -torch.logsumexp(torch.stack([-c, -o, -(c + o)]), dim=0)
