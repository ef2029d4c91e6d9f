"""Prepare the parts of a batch that students of a cohort share: its pixels and the teacher's outputs."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from mmengine.dist import get_rank, get_world_size
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


class Prepared(NamedTuple):
    """Hold a chunk as a detector expects it: images (B, 3, H, W), their samples, and the seed of its share at its begin."""

    inputs: Tensor
    samples: list[Any]
    seed: int | None


class SharedBatches:
    """Show batches to students that share a stream and a teacher.

    Students whose configs preprocess alike get the very same tensors and share target assignments. Each chunk of a batch
    is shown to the teacher once in each precision that a student requests, and not at all without a request.

    Where the trial says in how many shares its batches are trained, each of this worker's shares is preprocessed by
    itself, as it would be by a worker that has no other: images are padded to the largest of their share.
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
        self._shares = shares_of(self._trial, get_rank(), get_world_size())

    def begin(self, step: int, batch: Any) -> "SharedBatch":
        """Return the batch of ``step``, from which each student takes its chunks."""
        return SharedBatch(self, step, batch)

    def kind(self, trial_id: str) -> str:
        """Return the key of a student's pixels."""
        return self._kinds[trial_id]

    def sees(self, kind: str) -> bool:
        """Return whether these are the very pixels that the teacher sees."""
        return kind == self._seen

    def prepare(self, detector: Any, step: int, batch: Any) -> list[Prepared]:
        """Return a batch's chunks as a detector expects them."""
        if not self._shares:
            return [Prepared(*chunk, None) for chunk in self._chunks(detector, step, batch)]
        found: list[Prepared] = []
        for share, part in zip(self._shares, split(batch, len(self._shares)), strict=True):
            seed = derive(self._trial.seed, "step", step, share)
            chunks = self._chunks(detector, step, part)
            found += [Prepared(*chunk, seed if number == 0 else None) for number, chunk in enumerate(chunks)]
        return found

    def _chunks(self, detector: Any, step: int, batch: Any) -> Iterator[tuple[Tensor, list[Any]]]:
        data = detector.data_preprocessor(copy.deepcopy(batch) if self._several else batch, True)
        inputs, samples = data["inputs"], data["data_samples"]
        size = self._size(step, inputs)
        inputs = inputs if size is None else resize_batch(inputs, samples, size)
        if self._placement.channels_last:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        count = chunk_count(len(inputs), self._placement.micro_batch)
        each = len(inputs) // count
        for first in range(0, len(inputs), each):
            yield inputs[first : first + each], samples[first : first + each]

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
            prepared = self._shared.prepare(student, self._step, self._batch)
            self._prepared[kind] = [Chunk(one.inputs, one.samples, None, TargetCache(), one.seed) for one in prepared]
        chunks = self._prepared[kind]
        if asks_in is None:
            return chunks
        if asks_in not in self._teacher_outputs:
            self._teacher_outputs[asks_in] = self._forward(chunks if self._shared.sees(kind) else None, asks_in)
        teacher_outputs = self._teacher_outputs[asks_in]
        return [replace(one, teacher=outputs) for one, outputs in zip(chunks, teacher_outputs, strict=True)]

    def _forward(self, same: list[Chunk] | None, precision: Precision) -> list[HeadOutputs]:
        """Ask the teacher; ``same`` are chunks of the pixels that it would see, where they are there already."""
        teacher = self._shared.teacher
        assert teacher is not None
        if same is not None:
            return [teacher.forward(chunk.inputs, precision) for chunk in same]
        prepared = self._shared.prepare(teacher.detector, self._step, self._batch)
        return [teacher.forward(chunk.inputs, precision) for chunk in prepared]


def shares_of(trial: TrialSpec, rank: int, world: int) -> range:
    """Return the numbers of the shares that a worker trains; empty for a trial that does not say how many there are."""
    each, left_over = divmod(trial.shares or 0, world)
    if left_over:
        raise TrialError(f"{trial.shares} shares of a batch cannot be divided equally among {world} workers")
    return range(rank * each, (rank + 1) * each)


def split(batch: Any, parts: int) -> list[Any]:
    """Return equal parts of a raw batch, in order."""
    each = len(batch["inputs"]) // parts
    return [{name: values[n * each : (n + 1) * each] for name, values in batch.items()} for n in range(parts)]


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
