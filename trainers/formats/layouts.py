"""Find a detector's weights in the layouts that checkpoints come in."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from trainers.schema.checkpoint_classes import named_classes

StateDict = dict[str, Tensor]
# Where files keep their state dict: mmdet 2.x and 3.x, and Swin Transformer's originals. What stands beside it is not
# read: mmengine's ``ema_state_dict`` holds the weights *without* averaging, its ``state_dict`` those with it.
WRAPPINGS = ("state_dict", "model")
PARALLEL = "module."
# Prefixes of the student in the checkpoints of distillers, whose teacher stands beside it.
STUDENTS = ("architecture.model.", "architecture.", "student.")


@dataclass(frozen=True)
class ModelWeights:
    """Hold a model's weights; ``note`` names the model chosen from a file with several.

    ``classes`` are the names of the classes that the model was trained on, ``None`` where the file names none.
    """

    state: StateDict
    note: str = ""
    classes: tuple[str, ...] | None = None


def find_weights(content: dict[Any, Any]) -> ModelWeights:
    """Return the weights of the one model that a checkpoint is about, without the prefixes of its wrappers.

    Of a distiller's checkpoint that is the student. Nothing is found in a file without tensors: ``state`` is empty.
    """
    state, classes = _without(PARALLEL, _tensors(_unwrapped(content))), named_classes(content)
    for prefix in STUDENTS:
        student = {key: value for key, value in state.items() if key.startswith(prefix)}
        if student:
            others = len(state) - len(student)
            note = f"the student of a distiller's checkpoint: {prefix}*, without the {others} tensors beside it"
            return ModelWeights(_without(PARALLEL, _without(prefix, student)), note, classes)
    return ModelWeights(state, classes=classes)


def _unwrapped(content: dict[Any, Any]) -> dict[Any, Any]:
    for key in WRAPPINGS:
        inner = content.get(key)
        if isinstance(inner, dict):
            return inner
        if inner is not None and not isinstance(inner, Tensor):
            return {}  # the place is taken by something else: other tensors in the file are not the model's
    return content


def _tensors(state: dict[Any, Any]) -> StateDict:
    return {key: value for key, value in state.items() if isinstance(key, str) and isinstance(value, Tensor)}


def _without(prefix: str, state: StateDict) -> StateDict:
    """Take a prefix off every key, if all keys have it."""
    if not all(key.startswith(prefix) for key in state):
        return state
    return {key.removeprefix(prefix): value for key, value in state.items()}
