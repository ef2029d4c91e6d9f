"""Train students side by side on one data stream, against one frozen teacher."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.logging import MMLogger
from torch import Tensor

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
from trainers.spec.record import Record, read_history, read_status
from trainers.stopping import StopSignal
from trainers.weights import load_weights

PROGRESS_EVERY_S = 1.0


def train(jobs: Sequence[Job]) -> Iterator[tuple[str, Record]]:
    """Train the jobs' students in lockstep; yield (trial id, record) after each committed epoch.

    A job whose directory already holds history yields that first, then goes on where it stopped. Closing the iterator
    stops the students where they are; what was yielded is on disk. A file ``stop`` in a job's directory ends the
    iterator before the next step, with the state of that step on disk. Call it on every worker of the process group; all
    workers yield, rank 0's records are the complete ones. Raises ``TrialError`` with a message for the user.
    """
    finished = [job for job in jobs if read_status(job.directory) == "finished"]
    for job in finished:
        yield from ((job.trial_id, record) for record in read_history(job.directory))
    waiting = [job for job in jobs if job not in finished]
    if waiting:
        yield from Group(waiting).run()


class Group:
    """Hold what one worker of a worker group shares among its students: data stream, teacher, device."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        placement, trial = jobs[0].placement, jobs[0].trial
        self._device = prepare_process(placement.threads, placement.cuda)
        self._trial = trial
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
        for job in jobs if teacher else ():
            teacher.serve(job.trial.method)
        self._members = [Member(job, self._stream.steps_per_epoch, self._device, teacher) for job in jobs]
        self._stop = StopSignal([job.directory for job in jobs], self._device)
        self._epoch_began, self._progress_written = time.monotonic(), 0.0

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
            if self._stop.agreed():
                for member in self._members:
                    member.save_between_epochs()
                return
            active = [member for member in self._members if member.step == step < member.last_step]
            if active:  # a resumed member may be ahead of where a shorter one ended
                self._train_step(step, batch, active)
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
        teacher = asked[0].look(seen) if asked else None
        targets = TargetCache()
        for member in active:
            seed_everything(derive(self._trial.seed, "step", step, get_rank()))
            member.train_step(inputs, samples, teacher, targets)
        self._show_progress(active)

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
        record = member.finish_epoch(metrics, {"time/train_s": trained_s, "time/evaluate_s": evaluated_s})
        member.train_mode()
        self._epoch_began = time.monotonic()
        return record

    def _evaluate(self, member: Member) -> dict[str, float]:
        return evaluate(member.result, self._validation, self._trial.dataset.evaluator) or {}

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
