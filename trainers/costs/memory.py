"""Forecast the memory of trainings on a GPU that need not be there: ``python -m trainers.costs.memory REQUEST ANSWERS``.

REQUEST is a file with a ``MemoryRequest``; one line with a ``MemoryAnswer`` is appended to ANSWERS for each unit. A step runs at
full size on tensors without memory, on the host: values that it asks for are imagined.
"""

import logging
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from trainers.compat.lean_imports import lean_imports
from trainers.errors import TrialError
from trainers.schema.memory import MemoryAnswer, MemoryForecast, MemoryRequest, MemoryUnit

if TYPE_CHECKING:
    from trainers.compat.live_bytes import LiveBytes
    from trainers.distill.distiller import Distiller, FrozenTeacher

HOST = torch.device("cpu")
FEW = 2  # images of a step whose memory does not count; batch norm needs more than one value


def main(request: Path, answers: Path) -> None:
    """Answer each unit of the request, in its order."""
    from trainers.compat import imagined  # noqa: F401  imported once, for all children

    asked = MemoryRequest.model_validate_json(request.read_text(encoding="utf-8"))
    for unit in asked.units:
        before = _size(answers)
        _in_a_child(lambda unit=unit: _append(answers, answer_to(unit)))  # type: ignore[misc]
        if _size(answers) == before:
            _append(answers, MemoryAnswer(key=unit.key, problem="forecasting its memory ended the process that did so"))


def _in_a_child(work: Callable[[], None]) -> None:
    """Do the work in a process of its own, whose memory nobody reads afterwards.

    Without values, torchvision and mmdet may read or write beside their tensors: a two-stage detector's proposals do.
    """
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def _append(answers: Path, answer: MemoryAnswer) -> None:
    with answers.open("a", encoding="utf-8") as stream:
        stream.write(answer.model_dump_json() + "\n")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def answer_to(unit: MemoryUnit) -> MemoryAnswer:
    """Return the forecast of a unit, or why its step cannot run on tensors without memory."""
    from trainers.detectors.explain import explained

    try:
        with explained("forecast its memory"):
            return MemoryAnswer(key=unit.key, forecast=forecast(unit))
    except TrialError as error:
        return MemoryAnswer(key=unit.key, problem=str(error))


def forecast(unit: MemoryUnit) -> MemoryForecast:
    """Return the forecast of a unit."""
    from trainers.compat.fake_tensors import fake_mode
    from trainers.compat.imagined import Imagined
    from trainers.compat.live_bytes import LiveBytes
    from trainers.compat.mmdet_parts import focal_loss_of_a_gpu

    teacher, distiller = _built(unit)
    live = LiveBytes()
    with ExitStack() as modes:
        for mode in (focal_loss_of_a_gpu(), fake_mode(), Imagined(HOST), live):
            modes.enter_context(mode)
        return _Measured(unit, teacher, distiller, live).forecast()


def _built(unit: MemoryUnit) -> "tuple[FrozenTeacher | None, Distiller]":
    from trainers.detectors.detector import build_empty, placed
    from trainers.distill.distiller import Distiller, FrozenTeacher

    def built(detector: Any) -> Any:
        found = build_empty(detector, unit.classes, max_detections=unit.max_detections)
        return placed(found, HOST, channels_last=unit.channels_last)

    teacher = None if unit.teacher is None else FrozenTeacher(built(unit.teacher))
    if teacher is not None:
        teacher.serve(unit.method)
    return teacher, Distiller(built(unit.student).train(), unit.method, unit.schedule.precision, teacher)


class _Measured:
    """Measure the parts of a forecast, one after the other."""

    def __init__(
        self, unit: MemoryUnit, teacher: "FrozenTeacher | None", distiller: "Distiller", live: "LiveBytes"
    ) -> None:
        from trainers.loop.optimise import build_optimizer

        self._unit, self._teacher, self._distiller, self._live = unit, teacher, distiller, live
        self._teacher_bytes = self._moved(None if teacher is None else teacher.detector)
        self._student_bytes = self._moved(distiller)
        single = unit.schedule.model_copy(update={"precision": "fp32"})  # imagined gradients of fp16 would overflow
        self._optimizer = build_optimizer(distiller.trained, single)
        if unit.workers > 1:
            self._lay_into_buckets()
        self._inputs, self._samples = self._batch()

    def forecast(self) -> MemoryForecast:
        """Make two steps: in the first, on few images, the optimizer makes its state; the second is measured."""
        unit, live = self._unit, self._live
        self._step(self._look(FEW), FEW)
        stays = live.now - self._teacher_bytes - self._inputs.nbytes
        begin = live.restart()
        outputs = self._look()
        look, shown = live.peak - begin, live.now - begin
        begin = live.restart()
        evidence = self._step(outputs)
        step, workspace, kept = live.peak - begin, live.workspace, live.now - begin
        del evidence
        return MemoryForecast(
            images=unit.images,
            size=(self._inputs.shape[3], self._inputs.shape[2]),
            teacher=self._teacher_bytes,
            student=stays + self._beside(),
            evidence=kept,
            batch=self._inputs.nbytes + 2 * shown,  # the evidence keeps those of the batch before
            look=look,
            step=step,
            gradients=0 if unit.workers > 1 else self._trained(),
            workspace=workspace,
        )

    def _moved(self, module: Any) -> int:
        """Take a module into the mode and return the bytes of its tensors."""
        from trainers.compat.fake_tensors import make_fake

        before = self._live.now
        if module is not None:
            make_fake(module, HOST)
            self._live.take(*module.parameters(), *module.buffers())
        return self._live.now - before

    def _batch(self) -> tuple[torch.Tensor, list[Any]]:
        from trainers.costs.images import annotated_images

        return annotated_images(self._distiller.student, self._unit.size, self._unit.images, self._unit.objects)

    def _look(self, images: int | None = None) -> Any:
        if self._teacher is None:
            return None
        return self._teacher.forward(self._inputs[:images], self._unit.schedule.asks_in)

    def _step(self, outputs: Any, images: int | None = None) -> Any:
        """Make a step and return what is kept of it, as evidence of a loss that turns out not to be finite."""
        from trainers.distill.adapters.base import TargetCache

        distiller = self._distiller
        losses = distiller(self._inputs[:images], self._samples[:images], outputs, TargetCache())
        evidence = [found.detached() for found in (distiller.head_outputs, distiller.outputs) if found is not None]
        distiller.head_outputs = distiller.outputs = None
        total = torch.stack(list(losses.values())).sum()
        del losses
        self._optimizer.backward(total)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return evidence

    def _beside(self) -> int:
        """Return the bytes of the average."""
        student = self._distiller.student
        return sum(t.nbytes for t in (*student.parameters(), *student.buffers())) if self._unit.schedule.ema else 0

    def _lay_into_buckets(self) -> None:
        """Keep gradients in buffers that stay, as workers do that exchange them."""
        for weight in self._distiller.parameters():
            if weight.requires_grad:
                weight.register_post_accumulate_grad_hook(_moved_to(torch.empty_like(weight)))

    def _trained(self) -> int:
        """Return the bytes of the gradients."""
        return sum(weight.nbytes for weight in self._distiller.parameters() if weight.requires_grad)


def _moved_to(bucket: torch.Tensor) -> Callable[[torch.Tensor], None]:
    def move(weight: torch.Tensor) -> None:
        weight.grad = bucket

    return move


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with lean_imports():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
