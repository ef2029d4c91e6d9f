"""Adapt mmdet's RetinaNet head."""

from typing import Any

from torch import Tensor

from trainers.distill.adapters.anchored import AnchoredAdapter, CodedOutputs


class RetinaNetOutputs(CodedOutputs):
    """Adapt a RetinaNet head's outputs: ``(cls_scores, bbox_preds)``, lists over levels, several anchors a place.

    The anchors of a place follow each other, in the order of the anchor generator.
    """


class RetinaNetAdapter(AnchoredAdapter):
    """Connect ``RetinaHead``: assignment by IoU, independent of predictions; anchors between its thresholds weigh 0.

    N is this worker's own number of positives, at least 1 for each image: mmdet does not reduce it over workers, so
    the losses of N workers are the mean of N losses, each divided by its own number.
    """

    outputs_class = RetinaNetOutputs
    first = 0
    reduces_normaliser = False

    def predict(self, cls: list[Tensor], box: list[Tensor]) -> Any:
        """Return ``(cls_scores, bbox_preds)`` for features after the stacked convolutions."""
        head = self.head
        return [head.retina_cls(level) for level in cls], [head.retina_reg(level) for level in box]
