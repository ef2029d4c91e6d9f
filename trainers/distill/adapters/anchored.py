"""Share the common parts of mmdet's anchor-based heads: a grid of anchor boxes and ``get_targets`` over them."""

import math
from typing import Any, ClassVar

import torch
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor

from trainers.distill.adapters.base import Adapter, Targets
from trainers.distill.adapters.grid import GridOutputs
from trainers.distill.head_outputs import Anchors, HeadOutputs, lazy, stack_levels

LARGEST_LOG = abs(math.log(16 / 1000))  # of a side's growth, in mmdet's decoding


class AnchoredOutputs(GridOutputs):
    """Adapt an anchor-based head's outputs."""

    @lazy
    def priors_A4(self) -> Tensor:
        """Return the anchor boxes in pixels, (A, 4)."""
        return self.constant("boxes", lambda: torch.cat(self.priors()).repeat(self.images, 1))


class CodedOutputs(AnchoredOutputs):
    """Adapt a head that regresses deltas of its anchors by mmdet's ``bbox_coder``."""

    @lazy
    def deltas_A4(self) -> Tensor:
        """Return the raw deltas, in the coder's own scale, (A, 4)."""
        return stack_levels(self.outs[1], 4)

    @lazy
    def boxes_A4(self) -> Tensor:
        """Return decoded boxes in units of the level's stride, (A, 4); the coder limits how far a side can grow."""
        coder, deltas_A4 = self.adapter.head.bbox_coder, self.deltas_A4.float()
        if type(coder) is not DeltaXYWHBBoxCoder or coder.add_ctr_clamp:
            decoded: Tensor = coder.decode(self.priors_A4, deltas_A4)
            return decoded / self.strides_A[:, None]
        means_4, stds_4 = self.constant(
            "coding", lambda: (deltas_A4.new_tensor(coder.means), deltas_A4.new_tensor(coder.stds))
        )
        return boxes_of(self.priors_A4, deltas_A4 * stds_4 + means_4) / self.strides_A[:, None]


def boxes_of(priors_A4: Tensor, deltas_A4: Tensor) -> Tensor:
    """Return the boxes (x1, y1, x2, y2) that deltas, means and deviations undone, make of priors; all (A, 4).

    The formula of mmdet's ``delta2bbox``, equal to the bit. That function copies means and deviations to the device each
    time, and waits for it.
    """
    centres_A2, sides_A2 = (priors_A4[:, :2] + priors_A4[:, 2:]) * 0.5, priors_A4[:, 2:] - priors_A4[:, :2]
    centres_A2 = centres_A2 + sides_A2 * deltas_A4[:, :2]
    sides_A2 = sides_A2 * deltas_A4[:, 2:].clamp(min=-LARGEST_LOG, max=LARGEST_LOG).exp()
    return torch.cat([centres_A2 - sides_A2 * 0.5, centres_A2 + sides_A2 * 0.5], dim=-1)


class AnchoredAdapter(Adapter):
    """Connect a head whose ``get_targets`` gives lists over levels of (B, anchors of the level).

    ``first`` is the index of labels in the result of ``get_targets`` (ATSS-like heads return the anchors before them).
    """

    first: ClassVar[int] = 1
    reduces_normaliser: ClassVar[bool]

    @property
    def assigner(self) -> str:
        """Name how this head assigns targets, the coding of its box targets included."""
        coder = self.head.bbox_coder
        coding = f"{type(coder).__name__} {sorted(vars(coder).items())}"
        return f"{super().assigner} {self.head.reg_decoded_bbox} {coding}"

    def anchors(self, head_outputs: HeadOutputs, targets: Targets) -> Anchors:
        """Return labels, weights and levels of all anchors; N is the divisor of the head's classification loss."""
        assert isinstance(head_outputs, GridOutputs)
        labels, label_weights = targets.value[self.first : self.first + 2]
        level_A, image_A = head_outputs.anchor_index()
        label_A = torch.cat(labels, 1).flatten()
        return Anchors(
            weight_A=torch.cat(label_weights, 1).flatten(),
            positive_A=(label_A >= 0) & (label_A < self.head.num_classes),
            level_A=level_A,
            image_A=image_A,
            num_levels=len(labels),
            normaliser=self.normaliser(targets.value, labels[0].device),
        )

    def normaliser(self, found: Any, device: torch.device) -> Tensor:
        """Return N, at least 1: the mean over workers, or this worker's own where the head does not reduce it.

        ``found`` is the answer of ``get_targets``, the number of positives last.
        """
        count = torch.full((), float(found[-1]), device=device)  # copying it to a GPU would wait for that
        return (reduce_mean(count) if self.reduces_normaliser else count).clamp(min=1.0)

    def match(self, head_outputs: HeadOutputs, boxes: list[Tensor], metas: list[Any]) -> Tensor:
        """Return which anchors (bool, (A,)) the head's own assigner gives to ``boxes`` (pixels, a list over images)."""
        assert isinstance(head_outputs, AnchoredOutputs)
        objects = [InstanceData(bboxes=b, labels=b.new_zeros(len(b), dtype=torch.int64)) for b in boxes]
        anchors, valid = self.head.get_anchors(head_outputs.sizes, metas, device=head_outputs.outs[0][0].device)
        found = self.head.get_targets(anchors, valid, objects, metas)
        label_A = torch.cat(found[self.first], 1).flatten()
        return (label_A >= 0) & (label_A < self.head.num_classes)
