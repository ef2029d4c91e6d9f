"""Define the inputs of a distillation term: both detectors' predictions for one batch, and the assignment of anchors.

Shape suffixes: A anchors of all levels of all images of the worker's batch (image by image, in each image level by level,
in each level in mmdet's order), C classes, K bins of a box distribution, 4 sides or corners of a box.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from trainers.schema.terms import Need, TapPoint

T = TypeVar("T")


def lazy(compute: Callable[[Any], T]) -> "cached_property[T]":
    """Compute a property once, with its graph, also when the first question comes from inside ``no_grad``."""

    @wraps(compute)
    def with_graph(owner: Any) -> T:
        with torch.enable_grad():
            return compute(owner)

    return cached_property(with_graph)


@dataclass(frozen=True)
class HeadFeatures:
    """Hold a head's features at one place of its stacked convolutions: a list over levels of (B, C, H, W) each."""

    cls: list[Tensor]
    box: list[Tensor]

    def detached(self) -> "HeadFeatures":
        """Return the same values without graph."""
        return HeadFeatures([level.detach() for level in self.cls], [level.detach() for level in self.box])


@dataclass(frozen=True)
class Anchors:
    """Hold how ground truth was assigned to the anchors of one batch, in the order of ``HeadOutputs``.

    ``weight_A`` (float) is 1 for positives and negatives, 0 for padding and ignored anchors; ``positive_A`` (bool);
    ``level_A`` (int64) the pyramid level, ``image_A`` (int64) the image's place in the batch. ``normaliser`` (scalar) is
    the number that the head's own classification loss is divided by: for GFL, ATSS, FCOS, YOLOX and VFNet the mean over
    workers of the number of positives, at least 1; for RetinaNet this worker's own number; for RTMDet and TOOD the mean
    over workers of the sum of the positives' qualities, at least 1.
    """

    weight_A: Tensor
    positive_A: Tensor
    level_A: Tensor
    image_A: Tensor
    num_levels: int
    normaliser: Tensor

    def only(self, level: int, image: int) -> "Anchors":
        """Return the assignment with the weight of all other levels and images set to 0."""
        here = (self.level_A == level) & (self.image_A == image)
        return replace(self, weight_A=self.weight_A * here, positive_A=self.positive_A & here)


class HeadOutputs:
    """Hold one detector's outputs for one batch. Outputs are computed on first use and kept.

    An adapter's subclass defines the properties that its head gives; the others raise. Gradient flows to the
    detector that made the outputs, unless it is a frozen teacher's. Boxes are in units of their level's stride.
    """

    boxes_at: ClassVar[int] = 1  # where box predictions stand among the head's raw outputs

    def __init__(self, adapter: Any, features: list[Tensor], outs: Any, taps: dict[TapPoint, HeadFeatures]) -> None:
        self.adapter, self.features, self.outs, self.taps = adapter, features, outs, taps

    @property
    def level_sizes(self) -> list[int]:
        """Return the number of anchors of each level of one image."""
        raise self.lacks(Need.BOXES)

    @lazy
    def logits_AC(self) -> Tensor:
        """Return the logits that the head's classification loss supervises, before the sigmoid, (A, C)."""
        raise self.lacks(Need.LOGITS)

    @lazy
    def boxes_A4(self) -> Tensor:
        """Return decoded boxes (x1, y1, x2, y2) in units of the level's stride, not clipped, (A, 4), finite."""
        raise self.lacks(Need.BOXES)

    @lazy
    def distributions_A4K(self) -> Tensor:
        """Return the logits of each side's distribution over bins, (A, 4, K)."""
        raise self.lacks(Need.DISTRIBUTIONS)

    @lazy
    def deltas_A4(self) -> Tensor:
        """Return the raw box regression, in the coding that the head is trained in, (A, 4)."""
        raise self.lacks(Need.DELTAS)

    @lazy
    def priors_A4(self) -> Tensor:
        """Return the anchor boxes (x1, y1, x2, y2) in pixels, (A, 4)."""
        raise self.lacks(Need.PRIORS)

    @lazy
    def strides_A(self) -> Tensor:
        """Return each anchor's stride in pixels, (A,), the factor of ``boxes_A4``."""
        raise self.lacks(Need.BOXES)

    @lazy
    def class_logits_AC(self) -> Tensor:
        """Return the class logits of a head whose objectness stands apart, (A, C)."""
        raise self.lacks(Need.OBJECTNESS)

    @lazy
    def objectness_A(self) -> Tensor:
        """Return the objectness logits of a head that has them, (A,)."""
        raise self.lacks(Need.OBJECTNESS)

    def lacks(self, need: Need) -> NotImplementedError:
        """Return the error for a question that this head has no answer to; the compatibility check comes before."""
        return NotImplementedError(f"{type(self.adapter.head).__name__} does not give {need}")

    def detached(self) -> "HeadOutputs":
        """Return the same predictions without graph."""
        taps = {point: found.detached() for point, found in self.taps.items()}
        return type(self)(self.adapter, [level.detach() for level in self.features], detach(self.outs), taps)


def detach(outs: Any) -> Any:
    """Return nested lists and tuples of tensors without graph."""
    if isinstance(outs, Tensor):
        return outs.detach()
    return type(outs)(detach(item) for item in outs) if isinstance(outs, list | tuple) else outs


@dataclass
class TeacherStudentOutputs:
    """Hold one batch as student and teacher see it; ``assign`` computes the student's assignment when asked.

    ``metas`` is mmdet's meta information of each image, ``objects`` each image's ground-truth boxes, (n, 4) in pixels.
    Terms store values in ``shared`` that another term of the batch would compute again, without graph. ``size`` is the padded images'
    height and width in pixels, ``step`` the number of the training step, from 0.
    """

    student: HeadOutputs
    teacher: HeadOutputs
    assign: Callable[[], Anchors]
    metas: list[Any] = field(default_factory=list)
    objects: list[Tensor] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    step: int = 0
    crossed: dict[TapPoint, HeadOutputs] = field(default_factory=dict)
    shared: dict[Any, Tensor] = field(default_factory=dict)

    @cached_property
    def anchors(self) -> Anchors:
        """Return how ground truth was assigned to the student's anchors."""
        return self.assign()

    def cross(self, point: TapPoint) -> HeadOutputs:
        """Return the teacher head's outputs for the student's head features at ``point`` (CrossKD).

        Gradient flows through the frozen head into the student.
        """
        if point not in self.crossed:
            with torch.enable_grad():
                mine, theirs = self.student.taps[point], self.teacher.taps[point]
                self.crossed[point] = self.teacher.adapter.cross(mine, theirs, point)
        return self.crossed[point]

    def detached(self) -> "TeacherStudentOutputs":
        """Return the outputs without graph, to inspect them after the step."""
        known = self.__dict__.get("anchors")  # to compute it now would wait for workers that do not inspect
        assign = (lambda: known) if known is not None else self.assign
        return replace(self, student=self.student.detached(), assign=assign, crossed={}, shared={})

    def only(self, level: int, image: int) -> "TeacherStudentOutputs":
        """Return the outputs with all anchors but those of one level of one image weighing nothing."""
        return replace(self, assign=lambda: self.anchors.only(level, image), crossed={}, shared={})


def stack_levels(levels: list[Tensor], channels: int) -> Tensor:
    """Return (A, channels) from a list over levels of (B, anchors * channels, H, W)."""
    rows = [level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, channels) for level in levels]
    return torch.cat(rows, 1).reshape(-1, channels)


def anchor_index(counts: list[int], images: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ``level_A`` and ``image_A`` (int64) for ``counts`` anchors of each level in each of ``images`` images."""
    level = torch.cat([torch.full((count,), level) for level, count in enumerate(counts)])
    image = torch.arange(images).repeat_interleave(len(level))
    return level.repeat(images).to(device), image.to(device)
