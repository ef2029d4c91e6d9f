"""Adapt mmdet's VFNet head."""

import math
from dataclasses import replace
from typing import Any

import torch
from mmdet.models.utils import multi_apply
from mmengine.structures import InstanceData
from torch import Tensor

from trainers.distill.adapters.base import Targets
from trainers.distill.adapters.fcos import FcosAdapter
from trainers.distill.adapters.grid import GridOutputs
from trainers.distill.adapters.limits import LARGEST_SIDE, limit_output
from trainers.distill.head_outputs import Anchors, HeadOutputs, lazy, stack_levels


class VfnetOutputs(GridOutputs):
    """See a VFNet head's outputs: ``(cls_scores, bbox_preds, refined)``, lists over levels, distances in pixels.

    Logits are those of the IoU-aware scores. Boxes are the refined ones, which the detector predicts; in evaluation mode
    the head gives no others.
    """

    boxes_at = -1

    @lazy
    def deltas_A4(self) -> Tensor:
        """Return the refined distances to the left, top, right and bottom side in units of the level's stride, (A, 4)."""
        return stack_levels(self.outs[self.boxes_at], 4) / self.strides_A[:, None]

    @lazy
    def boxes_A4(self) -> Tensor:
        """Return refined boxes in units of the level's stride, (A, 4); no side is further away than ``LARGEST_SIDE``."""
        return self.boxes_around(self.deltas_A4)


class VfnetAdapter(FcosAdapter):
    """Connect ``VFNetHead``: ATSS assignment, or that of FCOS, independent of predictions; N as the head has it.

    All points weigh 1, those on padding too, as in the varifocal loss; with focal loss (``use_vfl: False``) they weigh as
    the ATSS assignment says. The first distances, and the factors that refine them, are limited to ``LARGEST_SIDE`` each.
    """

    outputs_class = VfnetOutputs

    def limit_sides(self) -> None:
        """Limit the distances and factors that the head exponentiates."""
        for level, units in enumerate(self._units()):
            limit_output(self.head.scales[level], math.log(LARGEST_SIDE / units))
            limit_output(self.head.scales_refine[level], math.log(LARGEST_SIDE))

    def _units(self) -> list[float]:
        """Return the factor of each level's first distances."""
        head = self.head
        return list(head.reg_denoms if head.bbox_norm_type == "reg_denom" else head.strides)

    @property
    def assigner(self) -> str:
        """Name how this head assigns targets."""
        head, points = self.head, self.head.prior_generator
        coder = f"{type(head.bbox_coder).__name__} {sorted(vars(head.bbox_coder).items())}"
        by = head.train_cfg if head.use_atss else (head.regress_ranges, head.center_sampling, head.center_sample_radius)
        grids = f"{head.atss_prior_generator!r} {points.strides} {points.offset}"
        return f"{type(head).__name__} {grids} {by!r} {coder} {head.num_classes}"

    def anchors(self, head_outputs: HeadOutputs, targets: Targets) -> Anchors:
        """Return labels, weights and levels of all points; N is the divisor of the classification loss."""
        found = super().anchors(head_outputs, targets)
        if not self.head.sync_num_pos:
            found = replace(found, normaliser=found.positive_A.sum().float().clamp(min=1.0))
        if self.head.use_vfl or targets.value[1] is None:
            return found
        assert isinstance(head_outputs, GridOutputs)
        weights = targets.value[1].split([size * head_outputs.images for size in head_outputs.level_sizes])
        by_image = torch.cat([level.reshape(head_outputs.images, -1) for level in weights], 1)
        return replace(found, weight_A=by_image.flatten())

    def match(self, head_outputs: HeadOutputs, boxes: list[Tensor], metas: list[Any]) -> Tensor:
        """Return which points (bool, (A,)) the head's own assignment gives to ``boxes`` (pixels, a list over images)."""
        assert isinstance(head_outputs, GridOutputs)
        objects = [InstanceData(bboxes=b, labels=b.new_zeros(len(b), dtype=torch.int64)) for b in boxes]
        labels = self.head.get_targets(head_outputs.outs[0], head_outputs.priors(), objects, metas)[0]
        return self._positive(labels, head_outputs.images)

    def predict(self, cls: list[Tensor], box: list[Tensor]) -> Any:
        """Return ``(cls_scores, bbox_preds, refined)`` for features after the stacked convolutions."""
        head = self.head
        return multi_apply(self._predict_stages, cls, box, head.scales, head.scales_refine, head.strides, self._units())

    def _predict_stages(
        self, cls: Tensor, box: Tensor, scale: Any, scale_refine: Any, stride: int, unit: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        head = self.head
        first = scale(head.vfnet_reg(head.vfnet_reg_conv(box))).float().exp() * unit
        star = head.star_dcn_offset(first, head.gradient_mul, stride).to(box.dtype)
        factors = scale_refine(head.vfnet_reg_refine(head.relu(head.vfnet_reg_refine_dconv(box, star)))).float().exp()
        return head.vfnet_cls(head.relu(head.vfnet_cls_dconv(cls, star))), first, factors * first.detach()
