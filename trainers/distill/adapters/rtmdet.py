"""Adapt mmdet's RTMDet head."""

import math
from typing import Any

from mmdet.models.layers.transformer import inverse_sigmoid
from mmdet.models.utils import multi_apply, sigmoid_geometric_mean
from torch import Tensor

from trainers.distill.adapters.aligned import AlignedAdapter
from trainers.distill.adapters.grid import GridOutputs
from trainers.distill.adapters.limits import LARGEST_SIDE, limit_output
from trainers.distill.head_outputs import lazy, stack_levels
from trainers.schema.terms import TapPoint


class RtmdetOutputs(GridOutputs):
    """See an RTMDet head's outputs: ``(cls_scores, bbox_preds)``, lists over levels; ``bbox_preds`` are in pixels.

    Without ``exp_on_reg`` (tiny and s) distances can be negative, and such a box be inside out. Its area would have no
    meaning for an overlap, so ``boxes_A4`` takes 0 for negative distances.
    """

    @lazy
    def deltas_A4(self) -> Tensor:
        """Return the distances to the left, top, right and bottom side in units of the level's stride, (A, 4)."""
        return stack_levels(self.outs[1], 4) / self.strides_A[:, None]

    @lazy
    def boxes_A4(self) -> Tensor:
        """Return decoded boxes in units of the level's stride, (A, 4), none inside out."""
        return self.boxes_around(self.deltas_A4.clamp(min=0.0))


class RtmdetAdapter(AlignedAdapter):
    """Connect ``RTMDetSepBNHead``: dynamic soft label assignment; N is the sum of the positives' IoUs.

    Each level has its own stack of convolutions (usually with common kernels and batch norms of its own).
    """

    outputs_class = RtmdetOutputs

    def __init__(self, detector: Any) -> None:
        super().__init__(detector)
        head = self.head
        for layer, (stride, _) in zip(head.rtm_reg, head.prior_generator.strides, strict=True):
            if head.exp_on_reg:
                limit_output(layer, math.log(LARGEST_SIDE / stride))

    def stacks(self) -> list[tuple[Any, Any]]:
        """Return each level's stacked convolutions for classes and for boxes."""
        return list(zip(self.head.cls_convs, self.head.reg_convs, strict=True))

    def activate(self, features: Tensor, point: TapPoint) -> Tensor:
        """Activate features taken before the activation; a SiLU, unlike a ReLU, cannot be applied a second time."""
        if point.tap == "after":
            return features
        activated: Tensor = self.head.cls_convs[0][point.convs - 1].activate(features)
        return activated

    def predict(self, cls: list[Tensor], box: list[Tensor]) -> Any:
        """Return ``(cls_scores, bbox_preds)`` for features after the stacked convolutions."""
        return multi_apply(self._predict_level, cls, box, range(len(cls)))

    def _predict_level(self, cls: Tensor, box: Tensor, level: int) -> tuple[Tensor, Tensor]:
        head = self.head
        scores, distances = head.rtm_cls[level](cls), head.rtm_reg[level](box)
        if head.with_objectness:
            scores = inverse_sigmoid(sigmoid_geometric_mean(scores, head.rtm_obj[level](box)))
        return scores, (distances.exp() if head.exp_on_reg else distances) * head.prior_generator.strides[level][0]
