"""Adapt mmdet's GFL head."""

from typing import Any

import torch
from mmdet.models.utils import multi_apply
from mmdet.structures.bbox import distance2bbox
from torch import Tensor

from trainers.distill.adapters.anchored import AnchoredAdapter, AnchoredOutputs
from trainers.distill.head_outputs import lazy, stack_levels


class GflOutputs(AnchoredOutputs):
    """Adapt a GFL head's outputs: ``(cls_scores, bbox_preds)``, lists over levels of (B, C, H, W) and (B, 4 K, H, W).

    Logits are the joint classification-quality logits. Boxes are the integral of the softmax over bins around the
    anchor's centre, in stride units, as in the authors' code (``Integral``, ``distance2bbox`` without clipping).
    """

    @lazy
    def distributions_A4K(self) -> Tensor:
        """Return the logits of each side's distribution over bins, (A, 4, K)."""
        bins = self.adapter.head.reg_max + 1
        return stack_levels(self.outs[1], 4 * bins).reshape(-1, 4, bins)

    @lazy
    def boxes_A4(self) -> Tensor:
        """Return decoded boxes in units of the level's stride, (A, 4)."""
        distances = self.adapter.head.integral(self.distributions_A4K.flatten(1))
        return distance2bbox(self.constant("centres", self._centres), distances)

    def _centres(self) -> Tensor:
        """Return the anchors' centres, (A, 2), each divided by its level's stride."""
        head = self.adapter.head
        strides = head.prior_generator.strides
        levels = [head.anchor_center(p) / stride[0] for p, stride in zip(self.priors(), strides, strict=True)]
        return torch.cat(levels).repeat(self.images, 1)


class GflAdapter(AnchoredAdapter):
    """Connect ``GFLHead``: ATSS assignment, independent of predictions; N is reduced over workers."""

    outputs_class = GflOutputs
    reduces_normaliser = True

    def predict(self, cls: list[Tensor], box: list[Tensor]) -> Any:
        """Return ``(cls_scores, bbox_preds)`` for features after the stacked convolutions."""
        return multi_apply(self._predict_level, cls, box, self.head.scales)

    def _predict_level(self, cls: Tensor, box: Tensor, scale: Any) -> tuple[Tensor, Tensor]:
        return self.head.gfl_cls(cls), scale(self.head.gfl_reg(box)).float()
