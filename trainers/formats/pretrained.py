"""Load public ImageNet weights into a backbone."""

from typing import Any

from torch import nn

from trainers.errors import TrialError
from trainers.formats.layouts import StateDict
from trainers.formats.mobilenet_names import mobilenet_converter
from trainers.formats.weights import load_state, read_state_dict
from trainers.schema.pretrained import Pretrained, find_pretrained, none_known

PREFIX = "backbone."


def imagenet_weights(config: Any, other_depth: int | None = None) -> Pretrained:
    """Return the ImageNet weights of mmdet's backbone config, made ``other_depth`` layers deep.

    Raises ``TrialError`` when none are known.
    """
    init = config.get("init_cfg") or {}
    name = init.get("checkpoint") if init.get("type") == "Pretrained" else None
    found = find_pretrained(config.type, config.get("depth"), name, other_depth)
    if found is None:
        raise TrialError(none_known(config.type, other_depth or config.get("depth")))
    return found


def load_imagenet(backbone: nn.Module, weights: Pretrained) -> None:
    """Fetch ``weights`` and load them into ``backbone``.

    Raises ``TrialError`` when they cannot be had, and when a tensor of the backbone is missing or has another shape;
    tensors that the file's layout lacks keep their initial values.
    """
    coverage = load_state(backbone, _converted(read_state_dict(weights.url), weights))
    known = ("num_batches_tracked", *weights.fresh)
    needed = [key for key in coverage.missing if not any(part in key for part in known)]
    if needed or coverage.misshapen:
        raise TrialError(f"ImageNet weights {weights.name} do not fit the backbone: {coverage.describe()}")


def _converted(state: StateDict, weights: Pretrained) -> StateDict:
    """Return the weights under the backbone's own names."""
    if weights.convert == "swin":
        from mmdet.models.backbones.swin import swin_converter  # loads all of mmdet's models

        state = swin_converter(state)
    if weights.convert == "mobilenet":
        state = mobilenet_converter(state)
    if any(key.startswith(PREFIX) for key in state):  # a whole classifier, or what mmdet's converter returns
        state = {key.removeprefix(PREFIX): value for key, value in state.items() if key.startswith(PREFIX)}
    return {key: value for key, value in state.items() if not key.startswith(weights.drop)}
