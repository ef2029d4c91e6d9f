"""Prepare the parts of a batch that students of a cohort share: its pixels and the teacher's outputs."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from trainers.data.batch_scale import batch_size_at, resize_batch, scaled_size
from trainers.data.seeding import derive
from trainers.detectors.detector import build_empty, model_config, placed
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import FrozenTeacher
from trainers.distill.head_outputs import HeadOutputs
from trainers.errors import TrialError
from trainers.formats.weights import load_weights
from trainers.loop.accumulate import Chunk, chunk_count
from trainers.schema import Detector, Job, Teacher, TrialSpec, class_count, class_names
from trainers.schema.schedule import Precision


class SharedBatches:
    """Show batches to students that share a stream and a teacher.

    Students whose configs preprocess alike get the very same tensors and share target assignments. Each chunk of a batch
    is shown to the teacher once in each precision that a student requests, and not at all without a request.
    """

    def __init__(self, jobs: Sequence[Job], device: torch.device) -> None:
        self._trial, self._placement = jobs[0].trial, jobs[0].placement
        spec = shared_teacher([job.trial for job in jobs])
        self.teacher = load_teacher(spec, self._trial, device, channels_last=self._placement.channels_last)
        if self.teacher is not None:
            for job in jobs:
                self.teacher.serve(job.trial.method)
        self._kinds = {job.trial_id: pixels(job.trial.student) for job in jobs}
        self._seen = pixels(spec.detector) if spec else None
        kinds = {*self._kinds.values(), *([self._seen] if self._seen else [])}
        self._several = len(kinds) > 1  # a preprocessor writes into the samples: each kind then needs its own

    def begin(self, step: int, batch: Any) -> "SharedBatch":
        """Return the batch of ``step``, from which each student takes its chunks."""
        return SharedBatch(self, step, batch)

    def kind(self, trial_id: str) -> str:
        """Return the key of a student's pixels."""
        return self._kinds[trial_id]

    def sees(self, kind: str) -> bool:
        """Return whether these are the very pixels that the teacher sees."""
        return kind == self._seen

    def prepare(self, detector: Any, step: int, batch: Any) -> tuple[list[Tensor], list[Any]]:
        """Return a batch's chunks as a detector expects them: images (B, 3, H, W), and their samples."""
        data = detector.data_preprocessor(copy.deepcopy(batch) if self._several else batch, True)
        inputs, samples = data["inputs"], data["data_samples"]
        size = self._size(step, inputs)
        inputs = inputs if size is None else resize_batch(inputs, samples, size)
        if self._placement.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        count = chunk_count(len(inputs), self._placement.micro_batch)
        each = len(inputs) // count
        return list(inputs.chunk(count)), [samples[first : first + each] for first in range(0, len(inputs), each)]

    def _size(self, step: int, inputs: Tensor) -> tuple[int, int] | None:
        """Return the (height, width) that the whole batch is scaled to at this step, ``None`` to leave it as it is."""
        scales = self._trial.dataset.batch_scales
        if scales is None:
            return None
        short = batch_size_at(scales, derive(self._trial.seed, "data"), step)
        return scaled_size((inputs.shape[-2], inputs.shape[-1]), short, scales.divisor)


class SharedBatch:
    """Hold one batch; its shared parts are computed for the first student that requests them."""

    def __init__(self, shared: SharedBatches, step: int, batch: Any) -> None:
        self._shared, self._step, self._batch = shared, step, batch
        self._prepared: dict[str, list[Chunk]] = {}
        self._teacher_outputs: dict[Precision, list[HeadOutputs]] = {}

    def chunks(self, trial_id: str, student: Any, *, asks_in: Precision | None) -> list[Chunk]:
        """Return the chunks of the batch for a student, with the teacher's outputs in a precision (``None``: without)."""
        kind = self._shared.kind(trial_id)
        if kind not in self._prepared:
            images, samples = self._shared.prepare(student, self._step, self._batch)
            parts = zip(images, samples, strict=True)
            self._prepared[kind] = [Chunk(inputs, some, None, TargetCache()) for inputs, some in parts]
        chunks = self._prepared[kind]
        if asks_in is None:
            return chunks
        if asks_in not in self._teacher_outputs:
            self._teacher_outputs[asks_in] = self._forward(chunks if self._shared.sees(kind) else None, asks_in)
        teacher_outputs = self._teacher_outputs[asks_in]
        return [
            Chunk(one.inputs, one.samples, outputs, one.targets)
            for one, outputs in zip(chunks, teacher_outputs, strict=True)
        ]

    def _forward(self, same: list[Chunk] | None, precision: Precision) -> list[HeadOutputs]:
        """Ask the teacher; ``same`` are chunks of the pixels that it would see, where they are there already."""
        teacher = self._shared.teacher
        assert teacher is not None
        if same is not None:
            return [teacher.forward(chunk.inputs, precision) for chunk in same]
        inputs = self._shared.prepare(teacher.detector, self._step, self._batch)[0]
        return [teacher.forward(chunk, precision) for chunk in inputs]


def shared_teacher(trials: list[TrialSpec]) -> Teacher | None:
    """Return the teacher of those trials that have one; raise ``TrialError`` when they have several."""
    found = [trial.teacher for trial in trials if trial.teacher is not None]
    if any(teacher != found[0] for teacher in found):
        raise TrialError("students that are trained side by side must have the same teacher")
    return found[0] if found else None


def load_teacher(
    teacher: Teacher | None, trial: TrialSpec, device: torch.device, *, channels_last: bool = False
) -> FrozenTeacher | None:
    """Return the frozen teacher, its head made for the trial's dataset."""
    if teacher is None:
        return None
    detector = build_empty(teacher.detector, class_count(trial.dataset))
    loaded = None
    if teacher.weights is not None:
        loaded = load_weights(detector, teacher.weights, "teacher", class_names(trial.dataset))
    return FrozenTeacher(placed(detector, device, channels_last=channels_last), loaded)


def pixels(detector: Detector) -> str:
    """Return the preprocessing of the detector's config, the same for every number of classes."""
    return repr(sorted(model_config(detector, num_classes=1).data_preprocessor.items()))
