"""Train students side by side on one data stream, against one frozen teacher."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import MMLogger
from torch import Tensor

from trainers.accumulate import Chunk, chunk_count
from trainers.batch_scale import batch_size_at, resize_batch, resize_inputs, scaled_size
from trainers.data import TrainStream
from trainers.datasets import build_dataset
from trainers.detector import build_empty, model_config
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import FrozenTeacher
from trainers.errors import TrialError
from trainers.evaluate import evaluate
from trainers.member import Member
from trainers.seeding import derive, seed_everything
from trainers.spec import Detector, Job, Schedule, Teacher, TrialSpec, class_count
from trainers.spec.record import DamagedFile, Record, read_history, read_status
from trainers.stopping import StopSignal
from trainers.watchdog import Watchdog
from trainers.weights import load_weights

PROGRESS_EVERY_S = 1.0


def train(jobs: Sequence[Job]) -> Iterator[tuple[str, Record]]:
    """Train the jobs' students in lockstep; yield (trial id, record) after each committed epoch.

    A job whose directory already holds history yields that first, then goes on where it stopped. Closing the iterator
    stops the students where they are; what was yielded is on disk. A file ``stop`` in a job's directory ends the
    iterator before the next step, with the state of that step on disk. Call it on every worker of the process group; all
    workers yield, rank 0's records are the complete ones. Raises ``TrialError`` with a message for the user.
    """
    try:
        finished = [job for job in jobs if read_status(job.directory) == "finished"]
        done = [(job.trial_id, record) for job in finished for record in read_history(job.directory)]
    except DamagedFile as error:
        raise TrialError(str(error)) from error
    yield from done
    waiting = [job for job in jobs if job not in finished]
    if waiting:
        yield from Group(waiting).watched()


class Group:
    """Hold what one worker of a worker group shares among its students: data stream, teacher, device."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        placement, trial = jobs[0].placement, jobs[0].trial
        self._device = prepare_process(placement.threads, placement.cuda)
        self._trial, self._micro_batch = trial, placement.micro_batch
        self._stream = TrainStream(
            build_dataset(trial.dataset, "train"),
            batch_size=trial.schedule.batch_size,
            seed=derive(trial.seed, "data"),
            rank=get_rank(),
            world=get_world_size(),
            loader_workers=placement.loader_workers,
            closing_from_epoch=closing_epoch(trial.schedule),
        )
        self._validation = build_dataset(trial.dataset, "val")
        self._teacher = load_teacher(_first_with_teacher(jobs), self._device)
        teacher = self._teacher[0] if self._teacher else None
        if teacher is not None:
            for job in jobs:
                teacher.serve(job.trial.method)
        self._members = [Member(job, self._stream.steps_per_epoch, self._device, teacher) for job in jobs]
        stacks = Path(jobs[0].directory) / f"stacks-{get_rank()}.txt"
        self._watchdog = Watchdog(stacks, placement.hang_timeout_s)
        self._stop = StopSignal([job.directory for job in jobs], self._device)
        self._epoch_began, self._progress_written = time.monotonic(), 0.0

    def watched(self) -> Iterator[tuple[str, Record]]:
        """Yield what ``run`` does, and watch over the time between two records: a process that hangs ends itself."""
        try:
            for found in self.run():
                self._watchdog.rest()
                yield found
        finally:
            self._watchdog.rest()

    def run(self) -> Iterator[tuple[str, Record]]:
        """Yield what the members have already done, then train them to their ends."""
        for member in self._members:
            yield from ((member.job.trial_id, record) for record in member.history)
            member.train_mode()
        for member in [member for member in self._members if member.last_step == 0 and not member.history]:
            yield member.job.trial_id, self._close_epoch(member)  # no step to make: evaluated as it is
        first = min(member.step for member in self._members)
        last = max(member.last_step for member in self._members)
        for step, batch in enumerate(self._stream.batches(first, last), start=first):
            self._watchdog.alive()
            if self._stop.agreed():
                self._save(self._members)
                return
            active = [member for member in self._members if member.step == step < member.last_step]
            if active:  # a resumed member may be ahead of where a shorter one ended
                self._train_step(step, batch, active)
            self._save(filter(Member.at_checkpoint, active))
            for member in filter(Member.at_epoch_end, active):
                yield member.job.trial_id, self._close_epoch(member)

    def _train_step(self, step: int, batch: Any, active: list[Member]) -> None:
        data = active[0].student.data_preprocessor(batch, True)
        inputs, samples = data["inputs"], data["data_samples"]
        asked = self._teacher if any(member.distils for member in active) else None
        seen = inputs if asked is None or asked[1] else asked[0].detector.data_preprocessor(batch, True)["inputs"]
        size = self._batch_size(step, inputs)
        if size is not None:
            inputs, seen = resize_batch(inputs, samples, size), resize_inputs(seen, size)
        chunks = self._cut(inputs, samples, seen, asked[0] if asked else None)
        for member in active:
            seed_everything(derive(self._trial.seed, "step", step, get_rank()))
            member.train_step(chunks)
        self._show_progress(active)

    def _cut(self, inputs: Tensor, samples: Any, seen: Tensor, teacher: FrozenTeacher | None) -> list[Chunk]:
        """Cut this worker's share of a batch into chunks that fit; each is shown to the teacher, as ``seen``, once."""
        count = chunk_count(len(inputs), self._micro_batch)
        size = len(inputs) // count
        parts = zip(inputs.chunk(count), seen.chunk(count), range(0, len(inputs), size), strict=True)
        return [
            Chunk(images, samples[first : first + size], teacher.look(shown) if teacher else None, TargetCache())
            for images, shown, first in parts
        ]

    def _save(self, members: Iterable[Member]) -> None:
        for member in members:
            member.save_between_epochs(time.monotonic() - self._epoch_began)

    def _batch_size(self, step: int, inputs: Tensor) -> tuple[int, int] | None:
        """Return the (height, width) that the whole batch is scaled to at this step, ``None`` to leave it as it is."""
        scales = self._trial.dataset.batch_scales
        if scales is None:
            return None
        short = batch_size_at(scales, derive(self._trial.seed, "data"), step)
        return scaled_size((inputs.shape[-2], inputs.shape[-1]), short, scales.divisor)

    def _close_epoch(self, member: Member) -> Record:
        member.check_losses()
        trained_s = time.monotonic() - self._epoch_began
        member.average_buffers()  # evaluated or not: what is committed is what every worker goes on from
        metrics = self._evaluate(member) if member.wants_evaluation() else {}
        evaluated_s = time.monotonic() - self._epoch_began - trained_s
        timing = {"time/train_s": member.spent_s + trained_s, "time/evaluate_s": evaluated_s}
        record = member.finish_epoch(metrics, timing)
        member.train_mode()
        self._epoch_began = time.monotonic()
        return record

    def _evaluate(self, member: Member) -> dict[str, float]:
        evaluator = self._trial.dataset.evaluator
        return evaluate(member.result, self._validation, evaluator, self._watchdog.alive) or {}

    def _show_progress(self, active: list[Member]) -> None:
        now = time.monotonic()
        if get_rank() != 0 or now - self._progress_written < PROGRESS_EVERY_S:
            return
        self._progress_written = now
        for member in active:
            member.files.show_progress(member.step, member.last_step)


def prepare_process(threads: int, cuda: bool) -> torch.device:
    """Make this process ready to train and return its device.

    On the CPU results are a function of the trial and ``threads``: thread counts are fixed, algorithms deterministic,
    and denormal numbers are flushed (they slow training several times).
    """
    cv2.setNumThreads(0)
    MMLogger.get_instance("mmengine").setLevel("WARNING")  # it prints a paragraph for every initialised tensor
    if cuda:
        return torch.device("cuda", torch.cuda.current_device())
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # deterministic mode fills new tensors with NaN to find faults of torch: a twentieth of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device("cpu")


def closing_epoch(schedule: Schedule) -> int | None:
    """Return the epoch, counted from 0, from which images are mixed with no others; ``None`` where there is none."""
    if not schedule.closing_epochs or schedule.epochs is None:
        return None
    return schedule.epochs - schedule.closing_epochs


def _first_with_teacher(jobs: Sequence[Job]) -> TrialSpec:
    """Return the first trial that has a teacher (they share one), else the first: a baseline may lead a cohort."""
    return next((job.trial for job in jobs if job.trial.teacher is not None), jobs[0].trial)


def load_teacher(trial: TrialSpec, device: torch.device) -> tuple[FrozenTeacher, bool] | None:
    """Return the trial's frozen teacher and whether it sees the very pixels that the student sees."""
    if trial.teacher is None:
        return None
    detector = build_empty(trial.teacher.detector, class_count(trial.dataset))
    _fill(detector, trial.teacher)
    return FrozenTeacher(detector.to(device)), _pixels(trial.teacher.detector) == _pixels(trial.student)


def _fill(detector: Any, teacher: Teacher) -> None:
    if teacher.weights is not None:
        load_weights(detector, teacher.weights, "teacher")


def _pixels(detector: Detector) -> Any:
    """Return what the detector's config says of preprocessing, the same for every number of classes."""
    return model_config(detector, num_classes=1).data_preprocessor


def train_alone(job: Job) -> list[Record]:
    """Train one job to its end in this process and return its history."""
    if not Path(job.directory).is_absolute():
        raise TrialError(f"the trial's directory must be absolute, got {job.directory}")
    return [record for _, record in train([job])]
