"""Take a feature map's statistics, channel by channel."""

import torch
from torch import Tensor

EPS = 1e-6  # added to a deviation before dividing by it, in PKD's and CrossKD's code alike


def mean_and_deviation(map_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Compute each channel's mean and unbiased deviation over batch and space, both (1, C, 1, 1).

    A channel of a single value has deviation 0 (unbiased, it would be 0/0), one without values mean and deviation 0.
    Gradient flows through both; that of the deviation is 0 where the deviation is 0.
    """
    count = map_BCHW.numel() // max(map_BCHW.shape[1], 1)
    if count < 2:
        mean = map_BCHW.sum(dim=(0, 2, 3), keepdim=True)
        return mean, torch.zeros_like(mean)
    deviation, mean = torch.std_mean(map_BCHW, dim=(0, 2, 3), correction=1, keepdim=True)
    return mean, deviation


def standardise(map_BCHW: Tensor) -> Tensor:
    """Shift and scale each channel to mean 0 and deviation 1: ``(x - mean) / (deviation + 1e-6)``, same shape."""
    mean, deviation = mean_and_deviation(map_BCHW)
    return (map_BCHW - mean) / (deviation + EPS)
