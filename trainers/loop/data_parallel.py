"""Let the workers of a trial exchange gradients and batch-norm statistics."""

from collections.abc import Iterable
from typing import Any

import torch
from mmengine.dist import all_reduce_params, get_world_size
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainers.distill.distiller import Distiller

UNUSED_PARTS = ("MobileNetV2",)  # backbones with layers behind the last output: their parameters get no gradient


def data_parallel(distiller: Distiller, device: torch.device) -> Any:
    """Return a model to be called as the distiller is, whose gradients are means over the workers."""
    if get_world_size() == 1:
        return distiller
    may_rest = distiller.rests or _rests(distiller)
    model = DistributedDataParallel(
        _Rehearsed(distiller),
        device_ids=[device.index] if device.type == "cuda" else None,
        broadcast_buffers=False,
        gradient_as_bucket_view=True,  # one copy of the gradients in the place of two, and the same bits
        find_unused_parameters=may_rest,
    )
    if device.type == "cpu" and not may_rest:
        _settle_buckets(model)
    return model


def average_buffers(modules: Iterable[nn.Module]) -> None:
    """Replace each floating-point buffer by the workers' mean, so that they evaluate the same student.

    What all workers have alike stays as it is: a mean over three and more moves it by rounding, so that constants such
    as the mean pixel would drift from epoch to epoch, and a training that was interrupted would begin again without.
    """
    if get_world_size() == 1:
        return
    buffers = [found for module in modules for found in module.buffers() if found.is_floating_point()]
    least, most, mean = (_reduced(buffers, how) for how in ("min", "max", "mean"))
    for buffer, low, high, middle in zip(buffers, least, most, mean, strict=True):
        buffer.copy_(torch.where(low == high, buffer, middle))


def _reduced(buffers: Iterable[Tensor], how: str) -> list[Tensor]:
    copies = [buffer.clone() for buffer in buffers]
    all_reduce_params(copies, op=how)
    return copies


class _Rehearsed(nn.Module):
    """Call the distiller; called without arguments, return 0 with a gradient of 0 for each parameter that is trained."""

    def __init__(self, distiller: Distiller) -> None:
        super().__init__()
        self._distiller = distiller

    def forward(self, *batch: Any) -> Any:
        """Return the distiller's losses, or 0."""
        if batch:
            return self._distiller(*batch)
        zeros: list[Tensor] = [(weight * 0).sum() for weight in self.parameters() if weight.requires_grad]
        return sum(zeros)


def _settle_buckets(model: DistributedDataParallel) -> None:
    """Make a pass without a batch, after which the order of the gradients' buckets is final.

    Otherwise it is another one in the first step of a process than in all later ones, and with three workers and more the
    order of sums depends on it: a training that was interrupted would not have the bits of one that was not.
    """
    model().backward()
    model.zero_grad(set_to_none=True)


def _rests(distiller: Distiller) -> bool:
    """Return whether parts of the student may get no gradient: of a head that is not described nobody knows."""
    return distiller.adapter.may_rest or type(distiller.student.backbone).__name__ in UNUSED_PARTS
