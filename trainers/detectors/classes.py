"""Set the number of classes of every part of a detector that tells them apart."""

from collections.abc import Iterator
from typing import Any

from trainers.errors import TrialError


def set_classes(model: Any, num_classes: int) -> None:
    """Change mmdet's config of a model so that it tells ``num_classes`` classes apart.

    These are its dense head, or all stages of its second one, with the losses that count classes. Raises ``TrialError``
    for a model that finds objects without classes (RPN) and more than one class.
    """
    heads = list(_classifiers(model))
    if not heads and num_classes != 1:
        raise TrialError(f"{model.type} does not tell classes apart, and the dataset has {num_classes}")
    for head in heads:
        head.num_classes = num_classes
        loss = head.get("loss_cls")
        if loss is not None and "num_classes" in loss:
            loss.num_classes = num_classes


def _classifiers(model: Any) -> Iterator[Any]:
    """Yield the configs of the heads that classify."""
    holder = model if "bbox_head" in model else model.get("roi_head") or {}
    found = holder.get("bbox_head")
    yield from found if isinstance(found, list | tuple) else [found] if found is not None else []
