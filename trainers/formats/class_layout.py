"""Find the tensors of any detector whose rows are classes, by their shapes, and copy the rows of single classes."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

BOX_REGRESSION = ("fc_reg",)  # mmdet's layer of second stages that predicts a box for each class
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class ClassLayout:
    """Hold the order of a tensor's rows: ``repeats`` rows for each class, and as many for the background if there is one.

    With ``by_class`` the rows of one class are neighbours (the four numbers of its box). Without it the rows are repeats
    (anchors) of all classes, the background last in each.
    """

    repeats: int
    has_background: bool
    by_class: bool = False

    def rows(self, classes: int) -> int:
        """Return how many rows the tensor has for a number of classes."""
        return self.repeats * (classes + self.has_background)

    def rows_of(self, place: int, classes: int) -> list[int]:
        """Return the rows of the class at ``place`` among ``classes``; at the place ``classes`` itself of the background."""
        if self.by_class:
            return [place * self.repeats + repeat for repeat in range(self.repeats)]
        outputs = classes + self.has_background
        return [repeat * outputs + place for repeat in range(self.repeats)]

    def copy(self, source: Tensor, target: Tensor, places: Mapping[int, int], counts: tuple[int, int]) -> None:
        """Copy rows of ``source`` (rows, ...) into ``target`` in place, of each class from its place there to that here.

        ``places`` maps places in the source to places in the target, ``counts`` are the numbers of classes there and here.
        """
        theirs, ours = counts
        pairs = dict(places) | ({theirs: ours} if self.has_background else {})
        there = [row for place in pairs for row in self.rows_of(place, theirs)]
        here = [row for place in pairs.values() for row in self.rows_of(place, ours)]
        with torch.no_grad():
            target[here] = source[there].to(target)


def class_layouts(shapes: Shapes, wider: Shapes, classes: int) -> dict[str, ClassLayout | None]:
    """Return the tensors whose shape depends on the number of classes, each with the order of its rows.

    ``shapes`` are those of a detector of ``classes`` classes, ``wider`` those of the same detector with one class more.
    ``None`` stands for an order that cannot be told: more than rows changed, or there are rows of something else (the
    boxes beside the classes of YOLOv3).
    """
    differing = [key for key, shape in shapes.items() if wider.get(key) != shape]
    return {key: _layout(key, shapes[key], wider.get(key, ()), classes) for key in differing}


def _layout(key: str, shape: tuple[int, ...], wider: tuple[int, ...], classes: int) -> ClassLayout | None:
    if not shape or len(shape) != len(wider) or shape[1:] != wider[1:]:
        return None
    repeats = wider[0] - shape[0]
    outputs, odd = divmod(shape[0], repeats) if repeats > 0 else (0, 1)
    if odd or outputs - classes not in (0, 1):
        return None
    return ClassLayout(repeats, outputs > classes, any(layer in key.split(".") for layer in BOX_REGRESSION))
