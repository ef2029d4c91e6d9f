"""Give the weights of torchvision's MobileNetV2 the names that they have in mmdet's."""

import re
from itertools import accumulate

from trainers.formats.layouts import StateDict

BLOCKS = (1, 2, 3, 4, 3, 3, 1)  # inverted residuals of each stage
LAST = sum(BLOCKS) + 1  # torchvision numbers the stem 0, the blocks after it, and the last convolution
NAME = re.compile(r"features\.(\d+)\.(.+)")


def mobilenet_converter(state: StateDict) -> StateDict:
    """Return the weights under mmdet's names; the classifier keeps its own."""
    return {_renamed(key): value for key, value in state.items()}


def _renamed(key: str) -> str:
    match = NAME.fullmatch(key)
    if match is None:
        return key
    number, rest = int(match[1]), match[2]
    if number in (0, LAST):
        return f"conv{1 if number == 0 else 2}.{_part(rest)}"
    ends = list(accumulate(BLOCKS))
    stage = next(index for index, end in enumerate(ends) if number <= end)
    block = number - 1 - (ends[stage - 1] if stage else 0)
    return f"layer{stage + 1}.{block}.{_convolution(rest.removeprefix('conv.'), expands=stage > 0)}"


def _convolution(rest: str, *, expands: bool) -> str:
    """Return the name inside a block: convolution and norm pairs, of the last of which torchvision numbers each apart."""
    number, _, inner = rest.partition(".")
    names = (["expand_conv"] if expands else []) + ["depthwise_conv", "linear_conv"]
    place = int(number)
    if place < len(names) - 1:
        return f"{names[place]}.{_part(inner)}"
    return f"{names[-1]}.{'conv' if place == len(names) - 1 else 'bn'}.{inner}"


def _part(rest: str) -> str:
    """Return ``conv.weight`` for ``0.weight`` and ``bn.weight`` for ``1.weight``."""
    number, _, name = rest.partition(".")
    return f"{'conv' if number == '0' else 'bn'}.{name}"
