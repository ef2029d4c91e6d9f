"""Reach parts of mmdet and mmengine that they keep private (written against mmdet 3.3.0, mmengine 0.10.7)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch.distributed as dist
from mmdet.models.losses.focal_loss import FocalLoss, sigmoid_focal_loss
from mmdet.utils import dist_utils
from torch import Tensor


@contextmanager
def reduce_mean_by(handle: Callable[[Tensor], Any]) -> Iterator[None]:
    """Let ``handle`` see, and change in place, the arguments of mmdet's ``reduce_mean`` inside the block.

    Heads import that function by name, but it finds ``torch.distributed`` in its own module.
    """
    real = dist_utils.dist
    dist_utils.dist = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: True,
        get_world_size=lambda: 1,
        all_reduce=lambda tensor, op: handle(tensor),
        ReduceOp=dist.ReduceOp,
    )
    try:
        yield
    finally:
        dist_utils.dist = real


@contextmanager
def focal_loss_of_a_gpu() -> Iterator[None]:
    """Let ``FocalLoss`` take the way that it takes on a GPU, on any device: by the operator, without one-hot targets."""
    real = FocalLoss.forward

    def forward(self: Any, pred: Tensor, target: Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.activated or pred.dim() == target.dim():
            return real(self, pred, target, *args, **kwargs)
        return self.loss_weight * _focal_loss(self, pred, target, *args, **kwargs)

    FocalLoss.forward = forward
    try:
        yield
    finally:
        FocalLoss.forward = real


def _focal_loss(
    loss: Any,
    pred: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    avg_factor: float | None = None,
    reduction_override: str | None = None,
) -> Any:
    reduction = reduction_override or loss.reduction
    return sigmoid_focal_loss(
        pred, target, weight, gamma=loss.gamma, alpha=loss.alpha, reduction=reduction, avg_factor=avg_factor
    )


@contextmanager
def yolox_assignments(head: Any) -> Iterator[list[Any]]:
    """Collect the results of ``YOLOXHead``'s assignment for each image inside the block."""
    assign, found = head._get_targets_single, []

    def keep(*args: Any, **kwargs: Any) -> Any:
        found.append(assign(*args, **kwargs))
        return found[-1]

    head._get_targets_single = keep  # an instance attribute, shadowing the method
    try:
        yield found
    finally:
        del head._get_targets_single


def copy_without_waiting(detector: Any, wanted: bool) -> None:
    """Let a detector take its images from pinned memory without waiting for the steps that are still under way.

    mmdet's configs have a setting for this, but it would stand in exported configs.
    """
    detector.data_preprocessor._non_blocking = wanted


def hidden_state(detector: Any) -> dict[str, Any]:
    """Return the running numbers that the parts of a detector keep outside their tensors, as plain data by part.

    ``DynamicRoIHead`` (Dynamic R-CNN) moves the threshold of its assigner and the beta of its box loss by means over
    its last steps.
    """
    return {name: _dynamic_state(part) for name, part in _dynamic_parts(detector).items()}


def restore_hidden_state(detector: Any, state: dict[str, Any]) -> None:
    """Restore the result of ``hidden_state``."""
    parts = _dynamic_parts(detector)
    for name, saved in state.items():
        part = parts[name]
        part.iou_history, part.beta_history = list(saved["ious"]), list(saved["betas"])
        for threshold, value in saved["thresholds"].items():
            setattr(part.bbox_assigner, threshold, value)
        part.bbox_head.loss_bbox.beta = saved["beta"]


def _dynamic_parts(detector: Any) -> dict[str, Any]:
    return {name: part for name, part in detector.named_modules() if hasattr(part, "iou_history")}


def _dynamic_state(part: Any) -> dict[str, Any]:
    thresholds = ("pos_iou_thr", "neg_iou_thr", "min_pos_iou")
    return {
        "ious": [float(value) for value in part.iou_history],
        "betas": [float(value) for value in part.beta_history],
        "thresholds": {name: float(getattr(part.bbox_assigner, name)) for name in thresholds},
        "beta": float(part.bbox_head.loss_bbox.beta),
    }


def forget_aliases(detector: Any) -> None:
    """Remove the second name that ``DDQDETR`` gives layers of its head in its loss.

    With it, a detector that has made a step would have tensors that a new one has not: neither its states nor its exports
    could be loaded.
    """
    decoder = getattr(detector, "decoder", None)
    if decoder is not None:
        decoder._modules.pop("aux_reg_branches", None)


def complete_head(detector: Any) -> None:
    """Give SSD's head the attribute that mmdet 3.3.0 reads in predicting and that this head alone lacks."""
    head = getattr(detector, "bbox_head", None)
    if head is not None and type(head).__name__.endswith("SSDHead") and not hasattr(head, "loss_cls"):
        head.loss_cls = None
