"""Find the tensors of a detector's head whose rows are classes, and reorder these rows."""

from typing import Any

import torch
from torch import Tensor, nn

from trainers.errors import TrialError
from trainers.schema.checkpoint_classes import ClassOrder, OtherClasses, class_order
from trainers.schema.heads import find_head

HEAD = "bbox_head."


def class_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a detector whose rows are classes, by name; of a head that does not tell them, all tensors."""
    head = getattr(model, "bbox_head", None)
    if head is None:
        return {}
    spec = find_head(type(head).__name__)
    prefix = f"{HEAD}{spec.classifier}." if spec is not None and spec.classifier else HEAD
    return {key: value for key, value in model.state_dict().items() if key.startswith(prefix)}


def order_for(theirs: tuple[str, ...] | None, ours: tuple[str, ...] | None, path: str) -> ClassOrder | None:
    """Return where the classes ``ours`` stand in a checkpoint that names ``theirs``, ``None`` when either is unknown.

    Raises ``TrialError`` when the two are not the same set.
    """
    try:
        return None if ours is None else class_order(theirs, ours)
    except OtherClasses as error:
        raise TrialError(f"{path}: {error}") from error


def reorder(model: Any, order: ClassOrder) -> None:
    """Put the rows of a loaded detector's classifier into the dataset's order of classes, in place.

    The classifiers of mmdet's dense heads have (anchors x classes) rows, the classes of an anchor side by side; a head
    that scores by softmax has the background behind them, which stays there. Raises ``TrialError`` for a head that does
    not say which of its tensors these are.
    """
    head = getattr(model, "bbox_head", None)
    spec = find_head(type(head).__name__)
    if head is None or spec is None or not spec.classifier:
        owner = type(model if head is None else head).__name__
        raise TrialError(
            f"the checkpoint has the classes in another order ({', '.join(order.theirs)}), and {owner} does "
            "not say which of its tensors belong to classes: give dataset.classes in the checkpoint's order"
        )
    outputs = int(getattr(head, "cls_out_channels", head.num_classes))
    rows = torch.tensor([*order.rows, *range(len(order.rows), outputs)])
    with torch.no_grad():
        for tensor in class_tensors(model).values():
            by_anchor = tensor.reshape(-1, outputs, *tensor.shape[1:])
            tensor.copy_(by_anchor[:, rows.to(tensor.device)].reshape(tensor.shape))
