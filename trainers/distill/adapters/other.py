"""Adapt detectors whose head is not described: any that mmdet trains from boxes, in one stage, in two, or by queries."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Never

import torch
from torch import Tensor

from trainers.compat.mmdet_parts import forget_aliases, hidden_state, restore_hidden_state
from trainers.distill.adapters.base import Adapter, Losses, Targets
from trainers.distill.half_precision import network_in, widened
from trainers.distill.head_outputs import Anchors, HeadOutputs
from trainers.schema.schedule import Precision
from trainers.schema.terms import Need


class OtherOutputs(HeadOutputs):
    """Hold the pyramid features of a detector, and the images that they were computed from until the losses are.

    There are no raw outputs: mmdet's heads compute them together with their losses.
    """

    inputs: Tensor | None = None
    precision: Precision = "fp32"


class OtherAdapter(Adapter):
    """Connect a head that is not described: terms get the features that it reads, and mmdet computes its losses.

    The features are the detector's ``extract_feat``, one map a level: of its neck, or of its backbone where it has none. In half
    precision the head and its losses run under autocast, as mmdet's own training does.
    """

    outputs_class = OtherOutputs
    shares_targets = False  # mmdet assigns inside its loss, where nothing can be taken or given
    may_rest = True

    def forward(
        self, inputs: Tensor, needs: frozenset[Need] | None = None, precision: Precision = "fp32"
    ) -> HeadOutputs:
        """Compute the features of preprocessed images (B, 3, H, W), float32; the head never runs here."""
        with network_in(precision, inputs.device):
            features = list(self.detector.extract_feat(inputs))
        found = OtherOutputs(self, widened(features), (), {})
        found.inputs, found.precision = inputs, precision
        return found

    def losses(self, head_outputs: HeadOutputs, samples: Any, targets: Targets) -> Losses:
        """Return mmdet's losses by name, scalars in float32; their sum is the one that mmdet minimises."""
        assert isinstance(head_outputs, OtherOutputs)
        inputs = head_outputs.inputs
        assert inputs is not None
        with self._seeing(head_outputs.features), network_in(head_outputs.precision, inputs.device):
            found = self.detector.loss(inputs, samples)
        forget_aliases(self.detector)
        return scalars(found)

    @contextmanager
    def _seeing(self, features: list[Tensor]) -> Iterator[None]:
        """Answer ``extract_feat`` by ``features`` inside the block: terms and head then read the very same maps."""
        self.detector.extract_feat = lambda _: tuple(features)  # an instance attribute, shadowing the method
        try:
            yield
        finally:
            del self.detector.extract_feat

    def anchors(self, head_outputs: HeadOutputs, targets: Targets) -> Anchors:
        """Raise: nobody has described the head's assignment."""
        raise head_outputs.lacks(Need.ASSIGNMENT)

    def stacks(self) -> Never:
        """Raise: nobody has described the head's layers."""
        raise OtherOutputs(self, [], (), {}).lacks(Need.HEAD_FEATURES)

    def state(self) -> dict[str, Any]:
        """Return the running numbers that some heads steer their training by."""
        return hidden_state(self.detector)

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the result of ``state``."""
        restore_hidden_state(self.detector, state)


def scalars(found: Mapping[str, Tensor | list[Tensor]]) -> Losses:
    """Return the entries that mmdet would minimise, those with "loss" in their names, as scalars in float32.

    A loss is the mean of its tensor; of a list of tensors the sum of their means. Names lose their "loss_", unless two
    would then be equal.
    """
    losses = {name: _mean(value) for name, value in found.items() if "loss" in name}
    short = {name: name.replace("loss_", "", 1) for name in losses}
    return {short[name] if _is_unique(short[name], short) else name: value for name, value in losses.items()}


def _mean(value: Tensor | list[Tensor]) -> Tensor:
    parts = [value] if isinstance(value, Tensor) else value
    return torch.stack([part.float().mean() for part in parts]).sum()


def _is_unique(name: str, short: Mapping[str, str]) -> bool:
    return list(short.values()).count(name) == 1
