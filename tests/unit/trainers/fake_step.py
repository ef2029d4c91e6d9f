"""Make a student's step with all terms that fit its head, on tensors without memory, for a GPU that is not there."""

from contextlib import ExitStack
from typing import Any

import torch

from tests.unit.trainers.scenes import CROWD, LARGE, data_sample
from trainers.compat.fake_tensors import autocast_of_a_gpu, fake_mode, make_fake
from trainers.compat.imagined import Imagined, Wait
from trainers.distill.adapters.base import TargetCache, spec_of
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.schema.compatibility import fits, presets
from trainers.schema.heads import HeadSpec
from trainers.schema.method import CrossKd, TermSum, terms_of
from trainers.schema.schedule import Precision
from trainers.schema.terms import TermSection

HEIGHT, WIDTH = 64, 96
OBJECTS = 4  # that a mask marks in an image


def all_terms(spec: HeadSpec) -> TermSum:
    """Return the sum of all terms that fit a head."""
    found: dict[str, TermSection] = {}
    for method in presets().values():
        if fits(method, spec, spec):
            shallow = method.model_copy(update={"convs": 1}) if isinstance(method, CrossKd) else method
            found = {term.kind: term for term in terms_of(shallow)} | found
    return TermSum(kind="terms", terms=tuple(found.values()))  # type: ignore[arg-type]


class FakeStep:
    """Hold a student, its teacher and a batch on ``device``, without memory."""

    def __init__(
        self, student: Any, teacher: Any, device: str, precision: Precision = "fp32", method: TermSum | None = None
    ) -> None:
        self._device, self._precision = torch.device(device), precision
        self._mode, self._imagined = fake_mode(), Imagined(self._device, OBJECTS)
        method = method or all_terms(spec_of(student))
        with torch.no_grad():
            before = FrozenTeacher(teacher)
            connected = Distiller(
                student, method, teacher=before
            )  # shows them a small image, whose values nobody needs
        with self._mode:
            make_fake(connected, self._device)
            make_fake(teacher, self._device)
            self.teacher = FrozenTeacher(teacher)
            self.teacher.serve(method)
            self.distiller = Distiller(student, method, precision)
            self.distiller.terms, self.distiller.connectors = connected.terms, connected.connectors
            self._inputs = torch.empty(2, 3, HEIGHT, WIDTH, device=self._device)
            self._samples = [self._sample(scene) for scene in (LARGE, CROWD)]

    def _sample(self, scene: Any) -> Any:
        sample = data_sample(scene)
        sample.set_metainfo({"pad_shape": (HEIGHT, WIDTH), "batch_input_shape": (HEIGHT, WIDTH)})
        return sample.to(self._device)

    def waits(self, *, steps: int = 2, backward: bool = False) -> list[Wait]:
        """Return where the last of ``steps`` waits: in the first, all that follows from shapes is computed.

        With ``backward`` it is probed, and the gradients are computed.
        """
        with ExitStack() as modes:
            for mode in (autocast_of_a_gpu(), self._mode, self._imagined):
                modes.enter_context(mode)
            for _ in range(steps):
                self._imagined.waits.clear()
                self.losses(probing=backward)
        return list(self._imagined.waits)

    def losses(self, *, probing: bool) -> None:
        """Compute the losses, and with ``probing`` the probe and the gradients."""
        teacher = self.teacher.forward(self._inputs, self._precision)
        losses = self.distiller(self._inputs, self._samples, teacher, TargetCache(), probing)
        assert set(self.distiller.terms) <= set(losses)
        total = torch.stack(list(losses.values())).sum()
        assert total.device.type == self._device.type
        if probing:
            total.backward()
