"""Share the common parts of heads that choose and weigh positives by their own predictions: RTMDet and TOOD."""

from typing import Any

import torch
from mmdet.utils import reduce_mean
from torch import Tensor

from trainers.distill.adapters.anchored import AnchoredAdapter
from trainers.distill.adapters.base import Adapter
from trainers.distill.head_outputs import HeadOutputs

QUALITIES = 4  # where get_targets returns each anchor's quality, lists over levels


class AlignedAdapter(AnchoredAdapter):
    """Connect a head whose assignment depends on predictions and gives each positive a quality between 0 and 1.

    N is the sum of the qualities, its mean over workers, at least 1: the head's own classification loss is divided by it.
    Boxes without a class cannot be matched: a quality is one of class and box together.
    """

    shares_targets = False

    def normaliser(self, found: Any, device: torch.device) -> Tensor:
        """Return N, at least 1, the mean over workers of the sum of qualities."""
        total: Tensor = sum(level.sum() for level in found[QUALITIES])  # level by level, as the head adds
        return reduce_mean(total).clamp(min=1.0)

    def match(self, head_outputs: HeadOutputs, boxes: list[Tensor], metas: list[Any]) -> Tensor:
        """Raise: the assignment of boxes without classes is not defined."""
        return Adapter.match(self, head_outputs, boxes, metas)
