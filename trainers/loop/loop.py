"""Train students side by side on one data stream, against one frozen teacher."""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.logging import MMLogger

from trainers.compat import exact_sqrt
from trainers.data.data_record import data_record, require_learnable
from trainers.data.datasets import build_dataset
from trainers.data.loaders import EvaluationStream, TrainStream, evaluation_loaders
from trainers.data.seeding import derive, seed_everything
from trainers.data.waiting import Waited
from trainers.errors import TrialError
from trainers.evaluation.evaluate import evaluate
from trainers.loop.inputs import require_unchanged
from trainers.loop.shared_batch import SharedBatches
from trainers.loop.stopping import StopSignal
from trainers.loop.student_trainer import StudentTrainer
from trainers.loop.system_metrics import SystemMetrics
from trainers.loop.watchdog import Watchdog
from trainers.schema import Job
from trainers.schema.being_read import noted_in
from trainers.schema.cpu import cpu_name
from trainers.schema.fence import set_fence, side_folder
from trainers.schema.portable import unmet
from trainers.schema.record import DamagedFile, Record, read_history, read_status

PROGRESS_EVERY_S = 1.0
TRAIN, LOAD = "time/train_s", "time/load_s"
NO_TIME = {TRAIN: 0.0, LOAD: 0.0}


ActiveTrials = Callable[[Sequence[str]], Collection[str]]


@dataclass(frozen=True)
class Failed:
    """Report the failure of one student; the others of its cohort keep training."""

    error: Exception


@dataclass(frozen=True)
class Stopped:
    """Report that one student was asked to stop and has saved its state; the others of its cohort keep training."""


Found = Record | Failed | Stopped


def train(jobs: Sequence[Job]) -> Iterator[tuple[str, Record]]:
    """Train the jobs' students in lockstep; yield (trial id, record) after each committed epoch.

    A job whose directory already holds history yields that first, then goes on where it stopped. Closing the iterator
    stops the students where they are; yielded records are on disk. A file ``stop`` in a job's directory ends that job
    before the next step, with the state of that step on disk. Call it on every worker of the process group; all workers
    yield, rank 0's records are the complete ones. Raises the first student's failure: ``TrialError`` with a message for
    the user, or the original error.
    """
    for trial_id, found in train_together(jobs):
        if isinstance(found, Failed):
            raise found.error
        if isinstance(found, Record):
            yield trial_id, found


def train_together(jobs: Sequence[Job], active_trials: ActiveTrials = lambda ids: ids) -> Iterator[tuple[str, Found]]:
    """Train as ``train`` does, but a student that fails yields ``Failed`` and leaves, and the others go on.

    One that is asked to stop yields ``Stopped`` when its state is on disk.

    Before the first step after records were yielded, ``active_trials`` gets the trial ids of all students in training and
    returns those that go on; the others end where they are. Raises errors that end all of them: a fault of the data, of
    the teacher.

    With several workers a loss that is not finite is such a failure; any other error in one student's step ends all,
    because the workers could not agree on it.
    """
    for job in jobs:
        set_fence(job.directory, job.fence)
    try:
        finished = [job for job in jobs if read_status(job.directory) == "finished"]
        done = [(job.trial_id, record) for job in finished for record in read_history(job.directory)]
    except DamagedFile as error:
        raise TrialError(str(error)) from error
    yield from done
    waiting = [job for job in jobs if job not in finished]
    if waiting:
        with noted_in([job.directory for job in waiting]):
            yield from WorkerGroup(waiting, active_trials).watched()


class WorkerGroup:
    """Hold the parts that one worker shares among its students: data stream, teacher, device."""

    def __init__(self, jobs: Sequence[Job], active_trials: ActiveTrials) -> None:
        placement, trial = jobs[0].placement, jobs[0].trial
        self._device = prepare_process(placement.threads, placement.cuda, portable=placement.portable)
        self._trial, self._active_trials = trial, active_trials
        training = build_dataset(trial.dataset, "train")
        self._validation = build_dataset(trial.dataset, "val")
        require_learnable(trial.dataset, training, self._validation)
        self._data = data_record(training, self._validation)
        self._stream = TrainStream(
            training,
            batch_size=trial.schedule.batch_size,
            seed=derive(trial.seed, "data"),
            rank=get_rank(),
            world=get_world_size(),
            loader_workers=placement.loader_workers,
            pinned=placement.cuda,
            closing_from_epoch=trial.schedule.closing_epoch,
        )
        loaders = evaluation_loaders(len(self._validation) // get_world_size(), placement.loader_workers)
        self._evaluation = EvaluationStream(
            self._validation,
            rank=get_rank(),
            world=get_world_size(),
            loader_workers=loaders,
            pinned=placement.cuda and loaders > 0,
        )
        self._shared = SharedBatches(jobs, self._device)
        self._jobs = jobs
        self._students: list[StudentTrainer] = []
        self._failures: list[tuple[str, Failed]] = []
        Path(jobs[0].directory).mkdir(parents=True, exist_ok=True)
        stacks = side_folder(jobs[0].directory) / f"stacks-{get_rank()}.txt"
        self._watchdog = Watchdog(stacks, placement.hang_timeout_s)
        self._stop = StopSignal([job.directory for job in jobs], self._device)
        self._epoch_began, self._progress_written = time.monotonic(), 0.0
        self._batches: Waited[Any] = Waited(())
        self._system, self._system_step = SystemMetrics(placement.sample_every_s, self._device), 0

    def watched(self) -> Iterator[tuple[str, Found]]:
        """Yield the records of ``run``, and watch the time between two records: a process that hangs ends itself."""
        try:
            for found in self.run():
                self._watchdog.rest()
                yield found
        finally:
            self._evaluation.close()
            self._system.close()
            self._watchdog.rest()

    def run(self) -> Iterator[tuple[str, Found]]:
        """Yield the members' earlier records, then train them to their ends."""
        for job in self._jobs:
            self._join(job)
        yield from self._failed()
        for student in self._students:
            yield from ((student.job.trial_id, record) for record in student.history)
        for student in [student for student in self._students if student.last_step == 0 and not student.history]:
            yield from self._close_epoch(student, NO_TIME, {})  # no step to make: evaluated as it is
        self._ask_who_stays()
        first = min((student.step for student in self._students), default=0)
        last = max((student.last_step for student in self._students), default=0)
        self._batches = Waited(self._stream.batches(first, last))
        self._begin_interval(first)
        for step, batch in enumerate(self._batches, start=first):
            self._watchdog.alive()
            stopped = self._end_those_asked_to_stop()
            yield from self._failed()
            yield from stopped
            active = [student for student in self._students if student.step == step < student.last_step]
            if active:  # a resumed student may be ahead of where a shorter one ended
                self._train_step(step, batch, active)
            yield from self._failed()
            active = [student for student in active if student in self._students]
            self._save(filter(StudentTrainer.at_checkpoint, active))
            ended = list(filter(StudentTrainer.at_epoch_end, active))
            spent = self._spent()
            timing, system = self._shares(spent), self._machine_use(step + 1, spent) if ended else {}
            for student in ended:
                yield from self._close_epoch(student, timing, system)
            if ended:
                self._ask_who_stays()
                self._begin_interval(step + 1)
            if not any(student.step < student.last_step for student in self._students):
                return

    def _join(self, job: Job) -> None:
        """Build a student, or go on with it; several workers all meet the same obstacles."""
        together = len(self._jobs) > 1
        with self._leaving(job.trial_id):
            require_unchanged(job)
            student = StudentTrainer(
                job, self._stream.steps_per_epoch, self._device, self._shared.teacher, together=together
            )
            student.train_mode()
            if get_rank() == 0:
                student.files.report_data(self._data)
            self._students.append(student)

    @contextmanager
    def _leaving(self, trial_id: str) -> Iterator[None]:
        """Remove a student whose training fails here."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  whatever it is, it is this student's, and the others go on
            self._leave(trial_id, error)

    def _leave(self, trial_id: str, error: Exception) -> None:
        """Remove a failed student; if it is alone, or its workers may not share the failure, end the whole cohort."""
        if len(self._jobs) == 1 or (get_world_size() > 1 and not isinstance(error, TrialError)):
            raise error
        self._students = [student for student in self._students if student.job.trial_id != trial_id]
        self._failures.append((trial_id, Failed(error)))

    def _failed(self) -> Iterator[tuple[str, Failed]]:
        failures, self._failures = self._failures, []
        yield from failures

    def _ask_who_stays(self) -> None:
        students = [student for student in self._students if student.step < student.last_step]
        if not students:
            return
        self._watchdog.rest()
        stay = self._active_trials([student.job.trial_id for student in students])
        self._students = [student for student in students if student.job.trial_id in stay]

    def _end_those_asked_to_stop(self) -> list[tuple[str, Stopped]]:
        asked = self._stop.agreed()
        leaving = [student for student in self._students if student.job.directory in asked]
        self._save(leaving)
        saved = [student.job.trial_id for student in leaving if student in self._students]  # a failed one has left
        self._students = [student for student in self._students if student not in leaving]
        return [(trial_id, Stopped()) for trial_id in saved]

    def _train_step(self, step: int, batch: Any, active: list[StudentTrainer]) -> None:
        shared_batch = self._shared.begin(step, batch)
        for student in active:
            seed_everything(derive(self._trial.seed, "step", step, get_rank()))  # a share has a seed of its own
            with self._leaving(student.job.trial_id):
                student.train_step(shared_batch.chunks(student.job.trial_id, student.student, asks_in=student.asks_in))
        self._show_progress(active)

    def _save(self, students: Iterable[StudentTrainer]) -> None:
        for student in students:
            if self._sound(student):
                student.save_between_epochs(sum(self._shares(self._spent()).values()))

    def _spent(self) -> dict[str, float]:
        """Return the seconds that the epoch has taken so far, of all students together."""
        waited = self._batches.seconds
        return {TRAIN: time.monotonic() - self._epoch_began - waited, LOAD: waited}

    def _shares(self, spent: dict[str, float]) -> dict[str, float]:
        """Return each student's share of the seconds: shared work counts once."""
        return {key: value / max(1, len(self._students)) for key, value in spent.items()}

    def _begin_interval(self, step: int) -> None:
        """Begin to count time, and the use of the machine, at a step."""
        self._epoch_began, self._batches.seconds, self._system_step = time.monotonic(), 0.0, step
        self._system.restart()

    def _machine_use(self, step: int, spent: dict[str, float]) -> dict[str, float]:
        """Return the use of the group's machines since the interval began, the same for all students."""
        images = (step - self._system_step) * self._trial.schedule.batch_size
        return self._system.take(images, spent[TRAIN], spent[LOAD])

    def _sound(self, student: StudentTrainer) -> bool:
        """Return whether a student's losses were finite so far, on all workers; one whose were not leaves."""
        error = first_of(student.unsound())
        if error is not None:
            self._leave(student.job.trial_id, error)
        return error is None

    def _close_epoch(
        self, student: StudentTrainer, timing: dict[str, float], system: dict[str, float]
    ) -> Iterator[tuple[str, Record | Failed]]:
        record = None
        if self._sound(student):
            with self._leaving(student.job.trial_id):
                record = self._commit(student, timing, system)
        if record is not None:
            yield student.job.trial_id, record
        yield from self._failed()

    def _commit(self, student: StudentTrainer, timing: dict[str, float], system: dict[str, float]) -> Record:
        began = time.monotonic()
        student.average_buffers()  # evaluated or not: what is committed is what every worker goes on from
        metrics = self._evaluate(student) if student.wants_evaluation() else {}
        before = timing | {TRAIN: student.spent_s + timing[TRAIN]}
        record = student.finish_epoch(metrics, before | {"time/evaluate_s": time.monotonic() - began}, system)
        student.train_mode()
        return record

    def _evaluate(self, student: StudentTrainer) -> dict[str, float]:
        data, alive = self._trial.dataset, self._watchdog.alive
        found = evaluate(
            student.result,
            self._validation,
            data.evaluator,
            alive,
            max_detections=data.max_detections,
            batches=self._evaluation,
        )
        return found or {}

    def _show_progress(self, active: list[StudentTrainer]) -> None:
        now = time.monotonic()
        if get_rank() != 0 or now - self._progress_written < PROGRESS_EVERY_S:
            return
        self._progress_written = now
        for student in active:
            student.files.show_progress(student.step, student.last_step)


def first_of(error: Exception | None) -> Exception | None:
    """Return the first worker's error, on all workers; ``None`` when no worker has one."""
    if get_world_size() == 1:
        return error
    return next((found for found in all_gather_object(error) if found is not None), None)


def prepare_process(threads: int, cuda: bool, *, portable: bool = False) -> torch.device:
    """Make this process ready to train and return its device.

    On the CPU results are a function of the trial, ``threads`` and the processor: thread counts are fixed, algorithms
    deterministic, and denormal numbers are flushed (they slow training several times). ``portable``: of the trial and
    ``threads`` alone, on x86-64; raises ``TrialError`` where this process cannot do that. It says nothing of GPUs.
    """
    cv2.setNumThreads(0)
    MMLogger.get_instance("mmengine").setLevel("WARNING")  # it prints a paragraph for every initialised tensor
    logging.getLogger("faster_coco_eval").setLevel("WARNING")  # six lines for every evaluation
    if cuda:
        return torch.device("cuda", torch.cuda.current_device())
    if portable:
        compute_portably()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # deterministic mode fills new tensors with NaN to find faults of torch: a twentieth of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return torch.device("cpu")


def compute_portably() -> None:
    """Have this process compute the same bits as on other x86-64 machines; raise ``TrialError`` where it cannot."""
    why_not = unmet(os.environ)
    if why_not is None and torch.backends.cpu.get_cpu_capability() != "AVX2":
        why_not = f"{cpu_name()} has no AVX2"
    if why_not:
        raise TrialError(f"scaling.portable cannot be kept: {why_not}")
    exact_sqrt.install()


def train_alone(job: Job) -> list[Record]:
    """Train one job to its end in this process and return its history."""
    if not Path(job.directory).is_absolute():
        raise TrialError(f"the trial's directory must be absolute, got {job.directory}")
    return [record for _, record in train([job])]
