"""Read a head's intermediate features while it runs."""

from typing import Any

from torch import Tensor

from trainers.distill.head_outputs import HeadFeatures
from trainers.schema.terms import Tap as Where


class Tap:
    """Keep the outputs of two lists of convolution modules, level by level, ``after`` or ``before`` their activation.

    A list has one module that all levels share, or one for each level.

    Stays on the modules as forward hooks; a state dict does not know of them. Keeps nothing unless told to listen: the
    modules also run when the detector is evaluated, in copies of it, and for CrossKD on another head's features.
    """

    def __init__(self, cls_convs: list[Any], box_convs: list[Any], where: Where) -> None:
        self._cls: list[Tensor] = []
        self._box: list[Tensor] = []
        self._listening = False
        self._copies = where == "before"  # the activation that follows writes into what it is given
        for blocks, levels in ((cls_convs, self._cls), (box_convs, self._box)):
            for block in blocks:
                layer = block if where == "after" else _before_activation(block)
                layer.register_forward_hook(lambda _, __, output, levels=levels: self._keep(levels, output))

    def listen(self) -> None:
        """Keep the outputs of the head's next run."""
        self._cls.clear()
        self._box.clear()
        self._listening = True

    def take(self) -> HeadFeatures:
        """Return the head's outputs since ``listen``, and drop them."""
        self._listening = False
        found = HeadFeatures(list(self._cls), list(self._box))
        self._cls.clear()
        self._box.clear()
        return found

    def _keep(self, levels: list[Tensor], output: Tensor) -> Tensor | None:
        if not self._listening:
            return None
        levels.append(output)
        return output.clone() if self._copies else None


def _before_activation(module: Any) -> Any:
    """Return the part of an mmcv ``ConvModule`` whose output the activation takes."""
    return module.norm if module.with_norm else module.conv
