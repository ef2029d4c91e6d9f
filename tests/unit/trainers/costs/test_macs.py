"""Multiply-adds are those that a pencil counts, and only of convolutions and products of matrices."""

from typing import Any

import pytest
import torch
from torch import nn
from torchvision.ops import DeformConv2d

from trainers.costs.macs import count_macs, parameter_count


class Head(nn.Module):
    """Take what a detector takes in mode ``tensor``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: torch.Tensor, samples: list[Any], mode: str) -> torch.Tensor:
        assert mode == "tensor"
        return self.layers(inputs)


class Deformed(nn.Module):
    """Convolve 4 channels to 6 over a window of 3 x 3, displaced by offsets that a convolution computes."""

    def __init__(self) -> None:
        super().__init__()
        self.offset, self.conv = nn.Conv2d(4, 18, 3, padding=1), DeformConv2d(4, 6, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x, self.offset(x))


@pytest.mark.parametrize(
    ("layers", "channels", "macs", "parameters"),
    [
        # 8 outputs of 5 x 7 cells, each a sum of 3 x 3 x 3; then 2 of 1 x 1 x 8. Biases, norm and ReLU are not counted
        (
            (nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1, bias=False)),
            3,
            5 * 7 * (8 * 27 + 2 * 8),
            8 * 27 + 8 + 2 * 8 + 2 * 8,
        ),
        # stride 2 keeps 3 x 4 of 5 x 7 cells
        ((nn.Conv2d(3, 8, 3, stride=2, padding=1),), 3, 3 * 4 * 8 * 27, 8 * 27 + 8),
        # four groups: each output sees one channel
        ((nn.Conv2d(4, 8, 3, padding=1, groups=4, bias=False),), 4, 5 * 7 * 8 * 9, 8 * 9),
        # offsets of 2 x 9 channels by a plain convolution, then the displaced one; sampling is not counted
        ((Deformed(),), 4, 5 * 7 * (18 * 36 + 6 * 36), 18 * 36 + 18 + 6 * 36 + 6),
        # rows of 7 cells times a matrix of 7 x 10, for each of 3 channels and 5 rows
        ((nn.Linear(7, 10),), 3, 3 * 5 * 7 * 10, 80),
    ],
)
def test_a_net_that_is_counted_by_hand(
    layers: tuple[nn.Module, ...], channels: int, macs: int, parameters: int
) -> None:
    net = Head(*layers).eval()
    assert count_macs(net, torch.randn(1, channels, 5, 7), []) == macs
    assert parameter_count(net) == parameters


def test_attention_counts_as_two_products() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.scaled_dot_product_attention(x, x, x)

    tokens, width = 6, 16
    queries = torch.randn(1, 1, tokens, width)
    assert count_macs(Head(Attention()), queries, []) == 2 * tokens * tokens * width


def test_a_layer_of_attention_counts_its_projections_too() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attention(x, x, x)[0]

    tokens, width = 6, 16
    found = count_macs(Head(Layer()).eval(), torch.randn(1, tokens, width), [])
    assert found == tokens * width * 4 * width + 2 * tokens * tokens * width


def test_frozen_parameters_count_and_statistics_do_not() -> None:
    net = Head(nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1))
    net.requires_grad_(requires_grad=False)
    assert parameter_count(net) == 3
