"""Adapt mmdet's ATSS head."""

from typing import Any

from mmdet.models.utils import multi_apply
from torch import Tensor

from trainers.distill.adapters.anchored import AnchoredAdapter, CodedOutputs


class AtssOutputs(CodedOutputs):
    """Adapt an ATSS head's outputs: ``(cls_scores, bbox_preds, centernesses)``, lists over levels.

    Logits are the class logits, which its focal loss supervises; the centerness is no part of the probability.
    """


class AtssAdapter(AnchoredAdapter):
    """Connect ``ATSSHead``: ATSS assignment, independent of predictions; N is reduced over workers."""

    outputs_class = AtssOutputs
    reduces_normaliser = True

    def predict(self, cls: list[Tensor], box: list[Tensor]) -> Any:
        """Return ``(cls_scores, bbox_preds, centernesses)`` for features after the stacked convolutions."""
        return multi_apply(self._predict_level, cls, box, self.head.scales)

    def _predict_level(self, cls: Tensor, box: Tensor, scale: Any) -> tuple[Tensor, Tensor, Tensor]:
        head = self.head
        return head.atss_cls(cls), scale(head.atss_reg(box)).float(), head.atss_centerness(box)
