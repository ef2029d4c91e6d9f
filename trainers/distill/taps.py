"""Read a head's intermediate features while it runs."""

from typing import Any

from torch import Tensor

from trainers.distill.views import HeadFeatures


class Tap:
    """Keep what the last layer before the activation of two convolution modules puts out, level by level.

    Stays on the modules as forward hooks; a state dict does not know of them. Keeps nothing unless told to listen: the
    modules also run when the detector is evaluated, in copies of it, and for CrossKD on another head's features.
    """

    def __init__(self, cls_conv: Any, box_conv: Any) -> None:
        self._cls: list[Tensor] = []
        self._box: list[Tensor] = []
        self._listening = False
        _before_activation(cls_conv).register_forward_hook(lambda _, __, output: self._keep(self._cls, output))
        _before_activation(box_conv).register_forward_hook(lambda _, __, output: self._keep(self._box, output))

    def listen(self) -> None:
        """Keep what the next run of the head puts out."""
        self._cls.clear()
        self._box.clear()
        self._listening = True

    def take(self) -> HeadFeatures:
        """Return what the head put out since ``listen``, and forget it."""
        self._listening = False
        found = HeadFeatures(list(self._cls), list(self._box))
        self._cls.clear()
        self._box.clear()
        return found

    def _keep(self, levels: list[Tensor], output: Tensor) -> Tensor | None:
        if not self._listening:
            return None
        levels.append(output)
        return output.clone()  # the activation that follows writes into what it is given


def _before_activation(module: Any) -> Any:
    """Return the part of an mmcv ``ConvModule`` whose output the activation takes."""
    return module.norm if module.with_norm else module.conv
