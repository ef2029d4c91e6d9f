"""Train one student: its model, optimizer, schedules, loss meters and files."""

import time
from typing import Any

import torch
from mmengine.dist import all_gather_object, all_reduce_params, barrier, get_rank, get_world_size
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from trainers.checkpoints import TrialFiles
from trainers.detector import build_student
from trainers.distill.adapters.base import TargetCache
from trainers.distill.diagnosis import Evidence
from trainers.distill.distiller import Distiller, FrozenTeacher
from trainers.distill.meters import FiniteWatch, LossMeter, ratios
from trainers.distill.views import View
from trainers.ema import StudentAverage
from trainers.export import student_checkpoint, write_config
from trainers.optimise import build_optimizer, build_schedulers, learning_rate
from trainers.seeding import derive
from trainers.spec import Job, class_count
from trainers.spec.method import inherits
from trainers.spec.record import BEST, CONFIG, LAST, Record, best_record
from trainers.weights import Coverage, inherit, load_weights

UNUSED_PARTS = ("MobileNetV2",)  # backbones with layers behind the last output: their parameters get no gradient


class Member:
    """Hold one student in training; rank 0 alone writes files."""

    def __init__(
        self, job: Job, steps_per_epoch: int, device: torch.device, teacher: FrozenTeacher | None = None
    ) -> None:
        trial = job.trial
        student = build_student(
            trial.student, class_count(trial.dataset), derive(trial.seed, "init"), trial.init is None
        )
        if trial.init is not None:
            load_weights(student, trial.init, "student")
        self.inherited: Coverage | None = None
        if inherits(trial.method) and teacher is not None:
            self.inherited = inherit(student, teacher.detector)
        self.job, self.student, self._device = job, student.to(device), device
        self.average = StudentAverage(student, trial.schedule.ema) if trial.schedule.ema else None
        self.distils = trial.teacher is not None
        self.distiller = Distiller(student, trial.method).to(device)
        self._model = _parallel(self.distiller, device)
        self._optimizer = build_optimizer(student, trial.schedule)
        self._schedulers = build_schedulers(self._optimizer, trial.schedule, steps_per_epoch)
        self._steps_per_epoch, self.last_step = steps_per_epoch, trial.schedule.total_steps(steps_per_epoch)
        self._closing_step = trial.schedule.closing_step(steps_per_epoch)
        self._rate = learning_rate(self._optimizer)
        self.files = TrialFiles(job.directory)
        self.history: list[Record] = []
        self.step = 0
        self._meter = LossMeter()
        self._watch = FiniteWatch(job.trial_id, self.distiller.terms)
        self._telemetry: dict[str, Tensor] = {}
        self._restore()

    @property
    def result(self) -> Any:
        """Return the detector that is evaluated and exported: the averaged student where there is one."""
        return self.average.module if self.average else self.student

    @property
    def epoch(self) -> int:
        """Return the number of the epoch that the last step belonged to, from 1 (0: no step yet)."""
        return -(-self.step // self._steps_per_epoch)

    def at_epoch_end(self) -> bool:
        """Tell whether an epoch, or the training, has just ended."""
        return self.step % self._steps_per_epoch == 0 or self.step == self.last_step

    def wants_evaluation(self) -> bool:
        """Tell whether the epoch that has just ended is to be evaluated."""
        return self.step == self.last_step or self.epoch % self.job.trial.schedule.val_interval == 0

    def train_step(self, inputs: Tensor, samples: Any, teacher: View | None, targets: TargetCache) -> None:
        """Make one optimizer step on a preprocessed batch; the first of an epoch is also probed (see ``probe``)."""
        probing = self.step % self._steps_per_epoch == 0
        self.distiller.adapter.close(self.step >= self._closing_step)
        losses = self._model(inputs, samples, teacher if self.distils else None, targets, probing)
        total = torch.stack(list(losses.values())).sum()
        self._note(losses, samples)
        self._rate = learning_rate(self._optimizer)  # the schedulers are about to set the next step's
        self._optimizer.update_params(total)
        if self.average:
            self.average.update(self.student)
        for scheduler in self._schedulers:
            scheduler.step()
        self.step += 1
        self._meter.add(losses | {"total": total})

    def _note(self, losses: dict[str, Tensor], samples: Any) -> None:
        """Keep what explains a loss that turns out not to be finite; on a CPU that is known, and raised, at once."""
        view, pair = self.distiller.view, self.distiller.pair
        assert view is not None
        ids = tuple(sample.metainfo.get("img_id") for sample in samples)
        evidence = Evidence(self.step, tuple(losses), ids, view.detached(), pair.detached() if pair else None)
        self.distiller.view = self.distiller.pair = None  # their graphs would outlive the step
        self._watch.note(evidence, losses)
        self._telemetry |= self.distiller.telemetry

    def finish_epoch(self, metrics: dict[str, float], timing: dict[str, float]) -> Record:
        """Commit the epoch that has just ended and return its record."""
        record = Record(
            epoch=self.epoch,
            step=self.step,
            metrics={**self._mean_losses(), "lr": self._rate, **self._take_telemetry(), **metrics},
            timing=timing,
            wall_time=time.time(),
            final=self.step == self.last_step,
        )
        self.history.append(record)
        if get_rank() == 0:
            self._write(record)
        return record

    def check_losses(self) -> None:
        """Raise ``NonFiniteLoss`` naming the first loss that was not finite, its step, level and images."""
        self._watch.settle()

    def train_mode(self) -> None:
        """Switch the student to training; frozen stages and norms stay as its config says."""
        self._model.train()

    def average_buffers(self) -> None:
        """Give all workers the mean of their batch-norm statistics, so that they evaluate the same student."""
        if get_world_size() > 1:
            modules = [self.student] + ([self.average.module] if self.average else [])
            buffers = [buffer for module in modules for buffer in module.buffers()]
            all_reduce_params([buffer for buffer in buffers if buffer.is_floating_point()], op="mean")

    def _mean_losses(self) -> dict[str, float]:
        means = self._meter.take()
        return {f"loss/{name}": value for name, value in means.items()} | ratios(means, self.distiller.terms)

    def _take_telemetry(self) -> dict[str, float]:
        """Return what the epoch's probe found on this worker's batch."""
        found = {name: float(value) for name, value in self._telemetry.items()}
        self._telemetry = {}
        return found

    def _export(self) -> dict[str, Any]:
        meta = {"epoch": self.epoch, "trial": self.job.trial_id}
        return student_checkpoint(self.result, self.job.trial, meta)

    def _write(self, record: Record) -> None:
        if len(self.history) == 1:
            write_config(self.job.trial, self.files.directory / CONFIG)
            if self.inherited is not None:
                self.files.report_weights({"inherited": self.inherited.report()})
        if best_record(self.history) is record:
            self.files.save_student(BEST, self._export())
        self.files.commit(self._state(), self.history)
        if record.final:
            self._finish()

    def save_between_epochs(self) -> None:
        """Commit the state in the midst of an epoch, so that resuming goes on from this very step, to the bit.

        All workers call it. The end of an epoch has committed its own.
        """
        if self.at_epoch_end() or self.step == 0:
            return
        self.check_losses()
        begun = all_gather_object(self._begun())
        if get_rank() == 0:
            self.files.commit(self._state() | {"begun": begun}, self.history)
        barrier()

    def _begun(self) -> dict[str, Any]:
        """Return what this worker alone knows of the epoch that it is in."""
        modules = self._modules()
        return {
            "meter": self._meter.state_dict(),
            "telemetry": {name: float(value) for name, value in self._telemetry.items()},
            "buffers": [[buffer.cpu() for buffer in module.buffers()] for module in modules],
        }

    def _go_on(self, begun: list[dict[str, Any]]) -> None:
        """Take up an epoch where it was left; with another number of workers, as rank 0 knew it."""
        mine = begun[get_rank()] if len(begun) == get_world_size() else begun[0]
        self._meter.load_state_dict(mine["meter"], self._device)
        self._telemetry = {name: torch.tensor(value) for name, value in mine["telemetry"].items()}
        for module, saved in zip(self._modules(), mine["buffers"], strict=True):
            for buffer, value in zip(module.buffers(), saved, strict=True):
                buffer.copy_(value)

    def _modules(self) -> list[torch.nn.Module]:
        return [self.student] + ([self.average.module] if self.average else [])

    def _state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "student": self.student.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "optimizer": self._optimizer.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
        }

    def _finish(self) -> None:
        self.files.save_student(LAST, self._export())
        self.files.finish()

    def _restore(self) -> None:
        found = self.files.resume()
        if found is None:
            return
        state, self.history = found
        self.step = state["step"]
        self.student.load_state_dict(state["student"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        for scheduler, saved in zip(self._schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(saved)
        if "begun" in state:
            self._go_on(state["begun"])
        barrier()  # all workers have read the state before rank 0 may delete it
        if get_rank() == 0:
            self.files.publish(self.history)
            if self.history and self.history[-1].final:
                self._finish()  # the process died between the last commit and this


def _parallel(distiller: Distiller, device: torch.device) -> Any:
    if get_world_size() == 1:
        return distiller
    device_ids = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(
        distiller,
        device_ids=device_ids,
        broadcast_buffers=False,
        find_unused_parameters=type(distiller.student.backbone).__name__ in UNUSED_PARTS,
    )
