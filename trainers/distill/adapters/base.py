"""Define the interface of a detection head's adapter; ``tests/contract/test_adapters.py`` is its test suite."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from mmdet.models.utils import unpack_gt_instances
from torch import Tensor
from torch.nn import functional as F

from trainers.distill.half_precision import network_in, widened
from trainers.distill.head_outputs import Anchors, HeadFeatures, HeadOutputs
from trainers.distill.losses import align_statistics
from trainers.distill.taps import Tap
from trainers.errors import TrialError
from trainers.schema.heads import HeadSpec, head_spec
from trainers.schema.plugins import resolved
from trainers.schema.schedule import Precision
from trainers.schema.terms import Need, TapPoint

Losses = dict[str, Tensor]


class Targets:
    """Keep the result of one head's target assignment for one batch."""

    def __init__(self) -> None:
        self.value: Any = None


class TargetCache:
    """Keep the target assignment of one batch, so that students whose heads assign alike share it."""

    def __init__(self) -> None:
        self._found: dict[str, Targets] = {}

    def of(self, adapter: "Adapter") -> Targets:
        """Return where ``adapter`` keeps its targets: shared, unless its assignment depends on predictions."""
        if not adapter.shares_targets:
            return Targets()
        assigner = adapter.constants.get("assigner", lambda: adapter.assigner)  # a millisecond to spell out
        return self._found.setdefault(assigner, Targets())


class Constants:
    """Cache values that every batch of the same shapes would compute again, for the most recent keys."""

    def __init__(self, limit: int = 64) -> None:
        self._known: dict[Hashable, Any] = {}
        self._limit = limit

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return the cached or new result of ``compute`` for ``key``."""
        if key not in self._known:
            while len(self._known) >= self._limit:
                del self._known[next(iter(self._known))]
            self._known[key] = compute()
        return self._known[key]


class Adapter(ABC):
    """Translate between one detector's head and distillation terms.

    One adapter serves one detector, student or teacher. It owns no parameters and is no module, so it appears in no
    state dict. Adding a head means: subclass this and ``HeadOutputs``, describe it by a ``HeadSpec``.
    """

    outputs_class: ClassVar[type[HeadOutputs]]
    shares_targets: ClassVar[bool] = True  # False where the assignment depends on the student's predictions
    may_rest: ClassVar[bool] = False  # True where layers of the head may get no gradient in a step

    def __init__(self, detector: Any) -> None:
        self.detector, self.head = detector, head_of(detector)
        settle(self.head)
        self._taps: dict[TapPoint, Tap] = {}
        self.constants = Constants()

    # ------------------------------------------------------------------------------------------- for every head

    def tap(self, point: TapPoint) -> None:
        """Keep the head's features at ``point`` from now on."""
        stacks = self.stacks()
        if point.convs > len(stacks[0][0]):
            raise TrialError(f"the head has {len(stacks[0][0])} stacked convolutions, convs is {point.convs}")
        if point not in self._taps:
            cls, box = ([stack[point.convs - 1] for stack in branch] for branch in zip(*stacks, strict=True))
            self._taps[point] = Tap(cls, box, point.tap)

    def forward(
        self, inputs: Tensor, needs: frozenset[Need] | None = None, precision: Precision = "fp32"
    ) -> HeadOutputs:
        """Run the detector on preprocessed images (B, 3, H, W); of ``needs`` (None: all) see whether the head has to run.

        ``precision`` is that of the network; all that the outputs hold is float32.
        """
        with network_in(precision, inputs.device):
            features = list(self.detector.extract_feat(inputs))
            if needs is not None and needs <= {Need.FEATURES}:
                return self.outputs_class(self, widened(features), (), {})
            for tap in self._taps.values():
                tap.listen()
            outs = self.head(tuple(features))
        taps = {point: widened(tap.take()) for point, tap in self._taps.items()}
        return self.outputs_class(self, widened(features), widened(outs), taps)

    def losses(self, head_outputs: HeadOutputs, samples: Any, targets: Targets) -> Losses:
        """Return the detector's own losses by name, scalars, and leave the assignment in ``targets``."""
        with self.remembering(targets):
            boxes, ignored, metas = unpack_gt_instances(samples)
            losses = self.head.loss_by_feat(*head_outputs.outs, boxes, metas, ignored)
        return {key.removeprefix("loss_"): _total(value) for key, value in losses.items()}

    def cross(self, student: HeadFeatures, own: HeadFeatures, point: TapPoint) -> HeadOutputs:
        """Run the student's features at ``point`` through the rest of this head (CrossKD).

        Before that, they get the statistics of this head's own features. Gradient flows to ``student`` only. Computed in
        float32 for any precision of the teacher.
        """
        cls_stacks, box_stacks = zip(*self.stacks(), strict=True)
        cls = self._rest(student.cls, own.cls, cls_stacks, point)
        box = self._rest(student.box, own.box, box_stacks, point)
        return self.outputs_class(self, [], self.predict(cls, box), {})

    def _rest(self, student: list[Tensor], own: list[Tensor], stacks: Any, point: TapPoint) -> list[Tensor]:
        """Return each level's features after the convolutions that follow ``point``."""
        each_level = itertools.cycle(stacks)
        return [self._cross_level(s, t, next(each_level), point) for s, t in zip(student, own, strict=True)]

    def _cross_level(self, student: Tensor, own: Tensor, stack: Any, point: TapPoint) -> Tensor:
        if student.shape != own.shape:
            raise TrialError(
                "crosskd needs head features of equal shape: "
                f"the student's are {tuple(student.shape)}, the teacher's {tuple(own.shape)}"
            )
        features = self.activate(align_statistics(student, own), point)
        for conv in stack[point.convs :]:
            features = conv(features)
        return features

    def stacks(self) -> list[tuple[Any, Any]]:
        """Return the stacked convolutions for classes and for boxes: one pair for all levels, or one for each level."""
        return [(self.head.cls_convs, self.head.reg_convs)]

    def activate(self, features: Tensor, point: TapPoint) -> Tensor:
        """Activate features that were taken at ``point`` and aligned: by the ReLU of most heads, ``after`` one too."""
        return F.relu(features)

    @contextmanager
    def remembering(self, targets: Targets) -> Iterator[None]:
        """Answer the head's ``get_targets`` from ``targets`` inside the block, filling it at the first call."""
        self.head.get_targets = _once(self.head.get_targets, targets)  # an instance attribute, shadowing the method
        try:
            yield
        finally:
            del self.head.get_targets

    @property
    def level_strides(self) -> list[int] | None:
        """Return each level's stride in pixels, ``None`` where the head does not say it."""
        strides = getattr(getattr(self.head, "prior_generator", None), "strides", None)
        return None if strides is None else [int(s[0] if isinstance(s, tuple | list) else s) for s in strides]

    @property
    def assigner(self) -> str:
        """Name how this head assigns targets: heads with equal names assign alike."""
        return (
            f"{type(self.head).__name__} {self.head.prior_generator!r} {self.head.train_cfg!r} {self.head.num_classes}"
        )

    def enter_epoch(self, epoch: int) -> None:  # noqa: B027  (most heads do not ask)
        """Tell the head which epoch, counted from 0, the next batch belongs to."""

    def state(self) -> dict[str, Any]:
        """Return all that the head keeps from step to step outside its tensors, as plain data; empty for most heads."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:  # noqa: B027  (most heads keep nothing)
        """Restore the result of ``state``."""

    def close(self, closing: bool) -> None:  # noqa: B027  (most heads change nothing)
        """Switch to how the head is trained in a schedule's closing epochs, or back."""

    # -------------------------------------------------------------------------------------------- for each head

    @abstractmethod
    def anchors(self, head_outputs: HeadOutputs, targets: Targets) -> Anchors:
        """Return the assignment that ``losses`` left in ``targets``."""

    def predict(self, cls: list[Tensor], box: list[Tensor]) -> Any:
        """Return the head's outputs for features after all its stacked convolutions (heads that give HEAD_FEATURES)."""
        raise NotImplementedError

    def match(self, head_outputs: HeadOutputs, boxes: list[Tensor], metas: list[Any]) -> Tensor:
        """Return which anchors (bool, (A,)) the head's own assigner gives to ``boxes``.

        ``boxes`` is a list over images of (n, 4) in pixels, ``metas`` mmdet's meta information of each image (heads
        that give MATCHING). No gradient.
        """
        raise NotImplementedError


def head_of(detector: Any) -> Any:
    """Return the part of a detector that predicts: its dense head, or the second stage; one without either itself."""
    parts = (getattr(detector, name, None) for name in ("bbox_head", "roi_head"))
    return next((part for part in parts if part is not None), detector)


def settle(head: Any) -> None:
    """Move the tensors that a head and its grids keep beside parameters and buffers to the device of the parameters.

    mmdet copies them there at each use, and each of these copies waits for the device.
    """
    device = next((weight.device for weight in head.parameters()), torch.device("cpu"))
    grids = (getattr(head, name, None) for name in ("prior_generator", "atss_prior_generator"))
    for owner in (head, *(grid for grid in grids if grid is not None)):
        for name, value in vars(owner).items():
            if isinstance(value, Tensor):
                setattr(owner, name, value.to(device))
            elif isinstance(value, list) and value and all(isinstance(item, Tensor) for item in value):
                setattr(owner, name, [item.to(device) for item in value])


def spec_of(detector: Any) -> HeadSpec:
    """Return the spec of a detector's head."""
    head = getattr(detector, "bbox_head", None)
    return head_spec(None if head is None else type(head).__name__, type(detector).__name__)


def adapter_for(detector: Any) -> Adapter:
    """Return the adapter of a detector; heads that are not described share one."""
    spec = spec_of(detector)
    found: Adapter = resolved(spec.adapter, f"the head {spec.head}")(detector)
    return found


def _once(compute: Callable[..., Any], targets: Targets) -> Callable[..., Any]:
    def get_targets(*args: Any, **kwargs: Any) -> Any:
        if targets.value is None:
            targets.value = compute(*args, **kwargs)
        return targets.value

    return get_targets


def _total(value: Tensor | list[Tensor]) -> Tensor:
    return value if isinstance(value, Tensor) else torch.stack([level.sum() for level in value]).sum()
