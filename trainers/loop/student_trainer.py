"""Train one student: its model, optimizer, schedules, loss meters and files."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, broadcast_object_list, get_rank, get_world_size
from torch import Tensor

from trainers.data.seeding import derive, seed_everything
from trainers.detectors.detector import build_student, placed
from trainers.detectors.starting import start_detector
from trainers.distill.diagnosis import Evidence
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.meters import FiniteWatch, ratios
from trainers.distill.pairing import require_pair
from trainers.errors import NonFiniteLoss
from trainers.formats.starting import StartReport
from trainers.formats.weights import Coverage, inherit, load_weights
from trainers.loop.accumulate import Accumulator, Chunk
from trainers.loop.data_parallel import average_buffers, data_parallel
from trainers.loop.optimise import build_optimizer, build_schedulers, learning_rate
from trainers.loop.prefix import found_prefix
from trainers.loop.segment import carried_state, last_step, read_carried_state
from trainers.schema import Job, class_count, class_names
from trainers.schema.method import inherits
from trainers.schema.record import BEST, CARRIED, CONFIG, LAST, Record, best_record
from trainers.schema.schedule import Precision
from trainers.state.checkpoints import TrialFiles
from trainers.state.ema import StudentAverage
from trainers.state.event_log import note
from trainers.state.export import student_checkpoint, write_config
from trainers.state.prefix import PrefixState, as_own, hand_on
from trainers.state.recovery import Recovery
from trainers.state.train_state import TrainState

RESIZED = "resized"  # the event of an elastic trial that goes on with another number of workers


class StudentTrainer:
    """Hold one student in training; rank 0 alone writes files.

    ``together`` says that others train beside it: several workers then learn of a loss that is not finite together.
    """

    def __init__(
        self,
        job: Job,
        steps_per_epoch: int,
        device: torch.device,
        teacher: FrozenTeacher | None = None,
        *,
        together: bool = False,
    ) -> None:
        trial = job.trial
        student = build_student(
            trial.student,
            class_count(trial.dataset),
            derive(trial.seed, "init"),
            trial.init is None,
            trial.dataset.max_detections,
        )
        self._loaded: dict[str, Coverage] = {}
        self._start: StartReport | None = None
        if trial.init is not None:
            self._loaded["init"] = load_weights(student, trial.init, "detector", class_names(trial.dataset))
        else:
            self._start = start_detector(student, trial.student, class_names(trial.dataset))
        if trial.teacher is not None and teacher is not None and teacher.loaded is not None:
            self._loaded["teacher"] = teacher.loaded
        if inherits(trial.method) and teacher is not None:
            self._loaded["inherited"] = inherit(student, teacher.detector)
        channels_last, apart = job.placement.channels_last, trial.shares is not None
        self.job, self.student = job, placed(student, device, channels_last=channels_last, apart=apart)
        self.average = StudentAverage(student, trial.schedule.ema) if trial.schedule.ema else None
        self._asks_in = trial.schedule.asks_in if trial.teacher is not None else None
        self.distiller = Distiller(student, trial.method, trial.schedule.precision, teacher, trial.seed).to(device)
        self.distiller.weights.follow(trial.schedule, steps_per_epoch)
        if trial.shares is not None:
            self.distiller.weights.measure_first_share()
        if trial.teacher is not None and teacher is not None:
            require_pair(trial.method, teacher.adapter, self.distiller.adapter)
        self._accumulator = Accumulator(data_parallel(self.distiller, device), self.distiller)
        self._optimizer = build_optimizer(self.distiller.trained, trial.schedule)
        self._schedulers = build_schedulers(self._optimizer, trial.schedule, steps_per_epoch)
        self._state = TrainState(self.distiller, self.average, self._optimizer, self._schedulers, device)
        self._steps_per_epoch, self.last_step = steps_per_epoch, last_step(trial, steps_per_epoch)
        self._closing_step = trial.schedule.closing_step(steps_per_epoch)
        self._rate = learning_rate(self._optimizer)
        self.files = TrialFiles(job.directory)
        self.history: list[Record] = []
        quiet = together and get_world_size() > 1
        self._watch = FiniteWatch(job.trial_id, self.distiller.terms, quiet=quiet)
        self._restore()
        self._saved_step = self.step

    @property
    def result(self) -> Any:
        """Return the detector that is evaluated and exported: the averaged student where there is one."""
        return self.average.module if self.average else self.student

    @property
    def step(self) -> int:
        """Return how many steps the student has made."""
        return self._state.step

    @property
    def epoch(self) -> int:
        """Return the number of the epoch that the last step belonged to, from 1 (0: no step yet)."""
        return -(-self.step // self._steps_per_epoch)

    @property
    def asks_in(self) -> Precision | None:
        """Return the precision in which the next step needs the teacher, ``None`` when no term acts in it."""
        return self._asks_in if self.distiller.weights.acting(self.step) else None

    def at_epoch_end(self) -> bool:
        """Return whether an epoch, or the training, has just ended."""
        return self.step % self._steps_per_epoch == 0 or self.step == self.last_step

    def at_checkpoint(self) -> bool:
        """Return whether the state is to be saved in the midst of an epoch."""
        every = self.job.placement.checkpoint_steps
        return every is not None and self.step % every == 0 and not self.at_epoch_end()

    def wants_evaluation(self) -> bool:
        """Return whether the epoch that has just ended is to be evaluated."""
        return self.step == self.last_step or self.epoch % self.job.trial.schedule.val_interval == 0

    def train_step(self, chunks: list[Chunk]) -> None:
        """Make one optimizer step on a preprocessed batch; the first of an epoch is also probed, on its first chunk."""
        probing = self.step % self._steps_per_epoch == 0
        self.distiller.adapter.enter_epoch(self.step // self._steps_per_epoch)
        self.distiller.adapter.close(self.step >= self._closing_step)
        self.distiller.begin(self.step)

        def forward(model: Any, chunk: Chunk, first: bool) -> dict[str, Tensor]:
            if chunk.seed is not None:
                seed_everything(chunk.seed)
            return model(chunk.inputs, chunk.samples, chunk.teacher, chunk.targets, probing and first)

        losses = self._accumulator.run(chunks, forward, self._backward)
        self._rate = learning_rate(self._optimizer)  # the schedulers are about to set the next step's
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self.average:
            self.average.update(self.student)
        for scheduler in self._schedulers:
            scheduler.step()
        self._state.step += 1
        self._state.meter.add(losses | {"total": torch.stack(list(losses.values())).sum()})

    def _backward(self, chunk: Chunk, losses: dict[str, Tensor], chunks: int) -> None:
        self._note(losses, chunk.samples)
        self._optimizer.backward(torch.stack(list(losses.values())).sum() / chunks)

    def _note(self, losses: dict[str, Tensor], samples: Any) -> None:
        """Keep the details of a loss that may turn out not to be finite.

        On a CPU this is known, and raised, at once.
        """
        head_outputs, outputs = self.distiller.head_outputs, self.distiller.outputs
        assert head_outputs is not None
        ids = tuple(sample.metainfo.get("img_id") for sample in samples)
        evidence = Evidence(
            self.step, tuple(losses), ids, head_outputs.detached(), outputs.detached() if outputs else None
        )
        self.distiller.head_outputs = self.distiller.outputs = None  # their graphs would outlive the step
        self._watch.note(evidence, losses)
        self._state.telemetry |= self.distiller.telemetry

    def finish_epoch(
        self, metrics: dict[str, float], timing: dict[str, float], system: dict[str, float] | None = None
    ) -> Record:
        """Commit the epoch that has just ended and return its record."""
        record = Record(
            epoch=self.epoch,
            step=self.step,
            metrics={
                **self._mean_losses(),
                "lr": self._rate,
                **self._take_telemetry(),
                **self.distiller.weights.record(),
                **metrics,
            },
            timing=timing,
            wall_time=time.time(),
            final=self.step == self.last_step,
            workers=self._state.mean_workers(sum(timing.values())) if self.job.trial.shares else None,
            system=system or {},
        )
        self.history.append(record)
        self._state.spent_s, self._state.spent_workers, self._saved_step = 0.0, 0.0, self.step
        if get_rank() == 0:
            self._write(record)
        return record

    def unsound(self) -> NonFiniteLoss | None:
        """Return a report of this worker's first loss that was not finite: its step, level and images."""
        return self._watch.verdict()

    def train_mode(self) -> None:
        """Switch the student to training; frozen stages and norms stay as its config says."""
        self.distiller.train()

    def average_buffers(self) -> None:
        """Average the workers' batch-norm statistics, so that they evaluate the same student."""
        average_buffers(self._state.modules)

    def _mean_losses(self) -> dict[str, float]:
        means = self._state.meter.take()
        return {f"loss/{name}": value for name, value in means.items()} | ratios(means, self.distiller.terms)

    def _take_telemetry(self) -> dict[str, float]:
        """Return the epoch's probe result on this worker's batch."""
        found = {name: float(value) for name, value in self._state.telemetry.items()}
        self._state.telemetry = {}
        return found

    def _export(self) -> dict[str, Any]:
        return student_checkpoint(self.result, self.job.trial, self._meta(self.epoch))

    def _meta(self, epoch: int) -> dict[str, Any]:
        return {"epoch": epoch, "trial": self.job.trial_id}

    def _write(self, record: Record) -> None:
        if len(self.history) == 1:
            self._describe()
        best = self._export if best_record(self.history) is record else None
        if (name := self.job.hands_on.get(record.epoch)) is not None:
            self._hand_on(name, best)
        self.files.commit(self._state.shared(), self.history, best)
        if record.final:
            self._finish()

    def _describe(self) -> None:
        """Write the student's config and the origin of its first weights."""
        write_config(self.job.trial, self.files.directory / CONFIG)
        told = {name: found.report() for name, found in self._loaded.items() if name == "inherited" or found.note}
        if self._start is not None:
            told["start"] = self._start.report()
        if told:
            self.files.report_weights(told)

    def _hand_on(self, name: str, best: Callable[[], dict[str, Any]] | None) -> None:
        """Write the state for others before it is committed, so that the file is there when the epoch's record is.

        ``best`` returns the student if its present epoch is the best. Nothing is written where the best is lost.
        """
        student = best() if best else self.files.student(BEST)
        if student is not None or best_record(self.history) is None:
            hand_on(self.files.directory / name, self.job.trial_id, self._state.shared(), self.history, student)

    def save_between_epochs(self, spent_s: float) -> None:
        """Commit the state in the midst of an epoch, so that resuming goes on from this very step, to the bit.

        ``spent_s`` is the student's share of the seconds that this process has spent in the epoch. All workers call it. Nothing is
        written for a step whose state is on disk already. The losses so far must be sound.
        """
        if self.at_epoch_end() or self.step == self._saved_step:
            return
        begun = self._state.begun(self.spent_s + spent_s)
        if get_rank() == 0:
            self.files.commit(self._state.shared() | {"begun": begun}, self.history)
        self._saved_step = self.step
        barrier()

    @property
    def spent_s(self) -> float:
        """Return the seconds that the epoch had taken when this process went on with it."""
        return self._state.spent_s

    def _finish(self) -> None:
        if self.last_step < self.job.trial.schedule.total_steps(self._steps_per_epoch):
            self.files.save_student(CARRIED, carried_state(self._state.shared()), self.step)
        self.files.save_student(LAST, self._export(), self.step)
        self.files.finish()

    def _restore(self) -> None:
        """Go on from the newest whole state; rank 0 chooses it, so that all workers have the same."""
        found = self.files.find() if get_rank() == 0 else None
        chosen = [found.manifest.states[0].file if found and found.state else None]
        broadcast_object_list(chosen, src=0)
        if chosen[0] is not None:
            state = found.state if found and found.state else self.files.read(chosen[0])
            self._state.load(state.content, self.files.directory / chosen[0])
            self.history = state.history
        elif self.job.trial.segment and self.job.trial.segment.origin:
            origin = self.job.trial.segment.origin
            self._state.take_over(read_carried_state(origin), Path(origin.directory) / CARRIED)
            self._rate = learning_rate(self._optimizer)
        prefix = self._take_prefix() if chosen[0] is None else None
        barrier()  # all workers have read the state before rank 0 may delete it
        if found is not None:
            self._take_up(found)
        if prefix is not None:
            self._start_from(prefix)

    def _take_prefix(self) -> PrefixState | None:
        """Load the state of a trial that has made this one's first steps; ``None`` where there is none to be used."""
        found, prefix = found_prefix(self.job), self.job.prefix
        if found is None or prefix is None:
            return None
        self._state.take_over(found.content, Path(prefix.directory) / prefix.file)
        self._rate = learning_rate(self._optimizer)
        weights = self.distiller.weights
        own = [weights.rescheduled(record.metrics, record.step - 1) for record in found.history]
        self.history = as_own(found.history, own, prefix, self.last_step)
        return found

    def _start_from(self, prefix: PrefixState) -> None:
        """Write all that the trial would have written by now; the state last, with which it goes on from here on."""
        if get_rank() != 0:
            return
        self._describe()
        best = best_record(self.history)
        if best is not None and prefix.best is not None:
            meta = prefix.best["meta"] | self._meta(best.epoch)
            self.files.save_student(BEST, prefix.best | {"meta": meta}, best.step)
        self.files.commit(self._state.shared(), self.history)
        if self.history[-1].final:
            self._finish()

    def _take_up(self, found: Recovery) -> None:
        self.files.take_up(found)
        self._note_size(found.state.content if found.state else {})
        best = best_record(self.history)
        remake = self._export if best is not None and best.step == self.step else None
        self.files.check_best(found, remake)
        if found.state and self.history and self.history[-1].final:
            self._finish()  # the process died between the last commit and this

    def _note_size(self, state: dict[str, Any]) -> None:
        """Record that the trial goes on with another number of workers than those that have saved its state."""
        begun, world = len(state.get("begun", [])), get_world_size()
        before = begun or state.get("workers", world)
        if self.job.trial.shares and before != world:
            detail = f"{before} had trained it up to step {self.step}"
            note(self.files.directory, RESIZED, f"go on with {counted_workers(world)}", detail)
        elif begun not in (0, world):
            detail = f"number of workers that began the epoch: {begun}; that go on with it: {world}"
            note(self.files.directory, "other number of workers", "go on from their means", detail)


def counted_workers(number: int) -> str:
    """Return a number of workers in words."""
    return "1 worker" if number == 1 else f"{number} workers"
