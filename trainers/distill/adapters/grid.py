"""Share the common parts of mmdet's dense heads: outputs on a grid of priors, level by level."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from mmdet.structures.bbox import distance2bbox
from torch import Tensor

from trainers.distill.adapters.limits import LARGEST_SIDE
from trainers.distill.head_outputs import HeadOutputs, anchor_index, lazy, stack_levels

T = TypeVar("T")


class GridOutputs(HeadOutputs):
    """Adapt a dense head's outputs: ``cls_scores`` first, then ``bbox_preds``, lists over levels of (B, channels, H, W)."""

    @property
    def images(self) -> int:
        """Return the number of images in the batch."""
        return len(self.outs[0][0])

    @property
    def sizes(self) -> list[Any]:
        """Return each level's (height, width)."""
        return [scores.shape[-2:] for scores in self.outs[0]]

    def constant(self, name: str, compute: Callable[[], T]) -> T:
        """Return a value that depends only on the outputs' shapes and device; computed on first use."""
        shapes = (*map(tuple, self.sizes), self.images, self.outs[0][0].device)
        known: T = self.adapter.constants.get((name, shapes), compute)
        return known

    def priors(self) -> list[Tensor]:
        """Return one image's priors in pixels, float32, a list over levels: (n, 4) anchor boxes or (n, 2) points."""
        return self.constant("priors", self._priors)

    def _priors(self) -> list[Tensor]:
        device = self.outs[0][0].device
        grid: list[Tensor] = self.adapter.head.prior_generator.grid_priors(
            self.sizes, dtype=torch.float32, device=device
        )
        return grid

    def anchor_index(self) -> tuple[Tensor, Tensor]:
        """Return each anchor's pyramid level and image, int64, both (A,)."""
        device = self.outs[0][0].device
        return self.constant("anchor_index", lambda: anchor_index(self.level_sizes, self.images, device))

    @property
    def level_sizes(self) -> list[int]:
        """Return the number of anchors of each level of one image."""
        return [len(level) for level in self.priors()]

    @lazy
    def strides_A(self) -> Tensor:
        """Return each anchor's stride in pixels, (A,)."""
        return self.constant("strides", self._strides)

    def _strides(self) -> Tensor:
        strides = self.adapter.head.prior_generator.strides
        levels = [p.new_full((len(p),), float(s[0])) for p, s in zip(self.priors(), strides, strict=True)]
        return torch.cat(levels).repeat(self.images)

    @lazy
    def logits_AC(self) -> Tensor:
        """Return the classification logits, (A, C)."""
        return stack_levels(self.outs[0], self.adapter.head.cls_out_channels)

    def grid_points(self) -> Tensor:
        """Return the points of a point-based head in units of their level's stride, (A, 2)."""
        return self.constant(
            "points", lambda: torch.cat(self.priors()).repeat(self.images, 1) / self.strides_A[:, None]
        )

    def boxes_around(self, distances_A4: Tensor) -> Tensor:
        """Return boxes around a point-based head's points, in units of their level's stride, (A, 4).

        ``distances_A4`` to the sides are in that unit; none counts for more than ``LARGEST_SIDE``.
        """
        return distance2bbox(self.grid_points(), torch.minimum(distances_A4, LARGEST_SIDE / self.strides_A[:, None]))
