"""Adapt mmdet's TOOD head."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import MessageHub
from torch import Tensor

from trainers.distill.adapters.aligned import AlignedAdapter
from trainers.distill.adapters.anchored import AnchoredOutputs
from trainers.distill.adapters.base import Targets
from trainers.distill.adapters.limits import LARGEST_SIDE, limit_output
from trainers.distill.head_outputs import lazy, stack_levels

LEAST = 2.0**-24  # the distance from 1 of the largest float32 below it: logits are within -16.6 and 16.6


class ToodOutputs(AnchoredOutputs):
    """See a TOOD head's outputs: ``(cls_scores, bbox_preds)``, lists over levels.

    ``cls_scores`` are probabilities, the geometric means of the sigmoids of a class logit and of an alignment logit.
    ``bbox_preds`` are boxes in units of the stride, after the alignment has sampled them.
    """

    @lazy
    def logits_AC(self) -> Tensor:
        """Return the logits of the aligned probabilities, (A, C); no gradient flows beyond ``LEAST`` from 0 and from 1."""
        return torch.logit(stack_levels(self.outs[0], self.adapter.head.cls_out_channels), eps=LEAST)

    @lazy
    def boxes_A4(self) -> Tensor:
        """Return the aligned boxes in units of the level's stride, (A, 4)."""
        return stack_levels(self.outs[1], 4)


class ToodAdapter(AlignedAdapter):
    """Connect ``TOODHead``: ATSS assignment in its first epochs, then by task alignment.

    N is the sum of the alignment metrics; in the first ``initial_epoch`` epochs, where they are 1, the number of positives.
    The sides that the head exponentiates are limited to ``LARGEST_SIDE`` on the finest level, in its own outputs too.
    """

    outputs_class = ToodOutputs

    def __init__(self, detector: Any) -> None:
        super().__init__(detector)
        self._epoch = 0
        if self.head.anchor_type == "anchor_free":
            finest = min(stride for stride, _ in self.head.prior_generator.strides)
            limit_output(self.head.tood_reg, math.log(LARGEST_SIDE / finest))
        # The operator that samples the boxes computes in the offsets' precision: half would move boxes by pixels.
        self.head.reg_offset_module.register_forward_hook(lambda _, __, offset: offset.float())

    def enter_epoch(self, epoch: int) -> None:
        """Tell the head which epoch, counted from 0, the next batch belongs to: it chooses the assignment."""
        self._epoch = epoch

    @contextmanager
    def remembering(self, targets: Targets) -> Iterator[None]:
        """Answer ``get_targets`` from ``targets`` inside the block, and the head's question for the epoch."""
        MessageHub.get_current_instance().update_info("epoch", self._epoch)  # mmengine's runner would
        with super().remembering(targets):
            yield
