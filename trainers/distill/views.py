"""Say what a distillation term may see of a detector: flattened predictions and the anchors' assignment.

Shape suffixes: A anchors of all levels of all images of the worker's batch, C classes, L pyramid levels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Predictions:
    """Hold a head's flattened predictions for one batch, image by image and in each image level by level.

    ``logits_AC`` are what the head's classification loss supervises, before the sigmoid; ``boxes_A4`` are decoded
    boxes (x1, y1, x2, y2) in units of the level's stride, not clipped. Teacher predictions carry no graph.
    """

    logits_AC: Tensor
    boxes_A4: Tensor


@dataclass(frozen=True)
class Anchors:
    """Hold how ground truth was assigned to the anchors of one batch, in the order of ``Predictions``.

    ``weight_A`` (float) is 1 for positives and negatives, 0 for padding and ignored anchors; ``positive_A`` (bool);
    ``level_A`` (int64) the pyramid level. ``normaliser`` (scalar) is the mean over workers of the number of positives
    (each image counts at least one), the same number that the head's own classification loss is divided by.
    """

    weight_A: Tensor
    positive_A: Tensor
    level_A: Tensor
    num_levels: int
    normaliser: Tensor


class TargetCache:
    """Keep the target assignment of one batch, so that it is computed once whoever asks.

    Valid only for heads whose assignment does not depend on predictions (ATSS assignment, as in GFL).
    """

    def __init__(self) -> None:
        self.value: Any = None

    @contextmanager
    def serving(self, head: Any) -> Iterator[None]:
        """Answer ``head.get_targets`` from the cache inside the block, filling it at the first call."""
        head.get_targets = self._once(head.get_targets)  # an instance attribute, shadowing the method
        try:
            yield
        finally:
            del head.get_targets

    def _once(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        def get_targets(*args: Any, **kwargs: Any) -> Any:
            if self.value is None:
                self.value = compute(*args, **kwargs)
            return self.value

        return get_targets
