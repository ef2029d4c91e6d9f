"""Train one student: its model, optimizer, schedules, loss meters and files."""

import time
from typing import Any

import torch
from mmengine.dist import all_reduce_params, barrier, get_rank, get_world_size
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from trainers.checkpoints import TrialFiles
from trainers.detector import build_student
from trainers.distill.distiller import Distiller
from trainers.distill.views import Predictions, TargetCache
from trainers.errors import NonFiniteLoss
from trainers.export import student_checkpoint, write_config
from trainers.optimise import build_optimizer, build_schedulers, total_steps
from trainers.seeding import derive
from trainers.spec import Job, class_count
from trainers.spec.record import BEST, CONFIG, LAST, Record, best_record
from trainers.weights import load_weights


class Member:
    """Hold one student in training; rank 0 alone writes files."""

    def __init__(self, job: Job, steps_per_epoch: int, device: torch.device) -> None:
        trial = job.trial
        student = build_student(
            trial.student, class_count(trial.dataset), derive(trial.seed, "init"), trial.init is None
        )
        if trial.init is not None:
            load_weights(student, trial.init, "student")
        self.job, self.student = job, student.to(device)
        self.distils = trial.teacher is not None
        self._model = _parallel(Distiller(student, trial.method).to(device), device)
        self._optimizer = build_optimizer(student, trial.schedule)
        self._schedulers = build_schedulers(self._optimizer, trial.schedule, steps_per_epoch)
        self._steps_per_epoch, self.last_step = steps_per_epoch, total_steps(trial.schedule, steps_per_epoch)
        self._rate = self._learning_rate()
        self.files = TrialFiles(job.directory)
        self.history: list[Record] = []
        self.step = 0
        self._sums: dict[str, Tensor] = {}  # of each loss, in float64, since the epoch began
        self._count = 0
        self._restore()

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

    def train_step(self, inputs: Tensor, samples: Any, teacher: Predictions | None, targets: TargetCache) -> None:
        """Make one optimizer step on a preprocessed batch."""
        losses = self._model(inputs, samples, teacher if self.distils else None, targets)
        total = torch.stack(list(losses.values())).sum()
        self._rate = self._learning_rate()  # the schedulers are about to set the next step's
        self._optimizer.update_params(total)
        for scheduler in self._schedulers:
            scheduler.step()
        self.step += 1
        self._add(losses | {"total": total})

    def finish_epoch(self, metrics: dict[str, float], timing: dict[str, float]) -> Record:
        """Commit the epoch that has just ended and return its record."""
        record = Record(
            epoch=self.epoch,
            step=self.step,
            metrics={**self._mean_losses(), "lr": self._rate, **metrics},
            timing=timing,
            wall_time=time.time(),
            final=self.step == self.last_step,
        )
        self.history.append(record)
        if get_rank() == 0:
            self._write(record)
        return record

    def check_losses(self) -> None:
        """Raise ``NonFiniteLoss`` naming the first term whose sum since the epoch's beginning is not finite."""
        for name, value in self._sums.items():
            if not torch.isfinite(value):
                raise NonFiniteLoss(f"loss term {name} is not finite at step {self.step} (trial {self.job.trial_id})")

    def train_mode(self) -> None:
        """Switch the student to training; frozen stages and norms stay as its config says."""
        self._model.train()

    def average_buffers(self) -> None:
        """Give all workers the mean of their batch-norm statistics, so that they evaluate the same student."""
        if get_world_size() > 1:
            all_reduce_params([b for b in self.student.buffers() if b.is_floating_point()], op="mean")

    def _add(self, losses: dict[str, Tensor]) -> None:
        for name, value in losses.items():
            addend = value.detach().double()
            self._sums[name] = self._sums[name] + addend if name in self._sums else addend
        self._count += 1

    def _mean_losses(self) -> dict[str, float]:
        if not self._count:
            return {}
        means = torch.stack(list(self._sums.values())) / self._count
        all_reduce_params([means], op="mean")
        values = dict(zip(self._sums, means.tolist(), strict=True))
        self._sums, self._count = {}, 0
        return {f"loss/{name}": value for name, value in values.items()}

    def _learning_rate(self) -> float:
        rates: list[float] = self._optimizer.get_lr()["lr"]
        return rates[0]

    def _export(self) -> dict[str, Any]:
        meta = {"epoch": self.epoch, "trial": self.job.trial_id}
        return student_checkpoint(self.student, self.job.trial, meta)

    def _write(self, record: Record) -> None:
        if len(self.history) == 1:
            write_config(self.job.trial, self.files.directory / CONFIG)
        if best_record(self.history) is record:
            self.files.save_student(BEST, self._export())
        state = {
            "step": self.step,
            "student": self.student.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
        }
        self.files.commit(state, self.history)
        if record.final:
            self._finish()

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
        self._optimizer.load_state_dict(state["optimizer"])
        for scheduler, saved in zip(self._schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(saved)
        barrier()  # all workers have read the state before rank 0 may delete it
        if get_rank() == 0:
            self.files.publish(self.history)
            if self.history[-1].final:
                self._finish()  # the process died between the last commit and this


def _parallel(distiller: Distiller, device: torch.device) -> Any:
    if get_world_size() == 1:
        return distiller
    device_ids = [device.index] if device.type == "cuda" else None
    return DistributedDataParallel(distiller, device_ids=device_ids, broadcast_buffers=False)
