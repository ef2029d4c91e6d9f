"""Gather everything that changes while a student trains, and put it back: plain data and tensors."""

import warnings
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from torch import Tensor, nn

from trainers.distill.distiller import Distiller
from trainers.distill.meters import LossMeter
from trainers.errors import TrialError
from trainers.schema.error_text import first_line
from trainers.state.ema import StudentAverage

RULES = ("param_groups", "base_param_settings")  # of an optimizer's state: functions of the schedule
ADDED = ("connectors", "weights", "head")  # keys of a state that are there where terms or a head keep such things


class TrainState:
    """Hold the state that resumes a training, to the bit.

    That is the student, its average, its terms' connectors and held weights, its head's running numbers (rank 0's), the
    optimizer, the schedulers and the step;
    and, within an epoch, each worker's own part: loss sums, the probe's findings, the statistics of batch norms that
    train, and the time spent. Random numbers and the data's order are functions of the step.
    """

    def __init__(
        self,
        distiller: Distiller,
        average: StudentAverage | None,
        optimizer: Any,
        schedulers: list[Any],
        device: torch.device,
    ) -> None:
        self._student, self._average = distiller.student, average
        self._connectors, self._weights = distiller.connectors, distiller.weights
        self._adapter = distiller.adapter
        self._optimizer, self._schedulers, self._device = optimizer, schedulers, device
        # seconds that the epoch took before this process went on with it, and how many workers it had in them on the mean
        self.step, self.spent_s, self.spent_workers = 0, 0.0, 0.0
        self.meter = LossMeter()
        self.telemetry: dict[str, Tensor] = {}

    @property
    def modules(self) -> list[nn.Module]:
        """Return the student, and its average where there is one."""
        return [self._student] + ([self._average.module] if self._average else [])

    def shared(self) -> dict[str, Any]:
        """Return the state that all workers share (batch-norm statistics of an epoch that has begun: this worker's)."""
        added = (self._connectors.state_dict(), self._weights.state_dict(), self._adapter.state())
        return {
            "step": self.step,
            "workers": get_world_size(),
            "student": self._student.state_dict(),
            "average": self._average.state_dict() if self._average else None,
            "optimizer": self._optimizer.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
            **{key: content for key, content in zip(ADDED, added, strict=True) if content},
        }

    def begun(self, spent_s: float) -> list[dict[str, Any]]:
        """Return each worker's own part of the current epoch, by rank; all workers call it.

        ``spent_s`` is the time in seconds that the epoch has taken so far.
        """
        workers = self.mean_workers(spent_s)
        found: list[dict[str, Any]] = all_gather_object(
            {
                "meter": self.meter.state_dict(),
                "telemetry": {name: float(value) for name, value in self.telemetry.items()},
                "buffers": [[buffer.cpu() for buffer in module.buffers()] for module in self.modules],
                "spent_s": spent_s,
                "spent_workers": workers,
            }
        )
        return found

    def mean_workers(self, seconds: float) -> float:
        """Return how many workers the epoch had on the mean, where it has taken ``seconds`` so far."""
        own = max(0.0, seconds - self.spent_s)
        whole = self.spent_s + own
        return (self.spent_s * self.spent_workers + own * get_world_size()) / whole if whole else get_world_size()

    def load(self, state: dict[str, Any], path: Path) -> None:
        """Go on from a state, which was read from ``path``; raise ``TrialError`` when it is another training's."""
        try:
            self._load_models(state)
            if self._average:
                self._average.load_state_dict(state["average"])
            self._optimizer.load_state_dict(state["optimizer"])
            for scheduler, saved in zip(self._schedulers, state["schedulers"], strict=True):
                scheduler.load_state_dict(saved)
            self.step = state["step"]
            if "begun" in state:
                self._go_on(state["begun"])
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise TrialError(
                f"{path} is no state of this training ({type(error).__name__}: {first_line(error)}): delete {path.parent} to train anew"
            ) from error

    def take_over(self, carried: dict[str, Any], path: Path) -> None:
        """Go on from where another training has ended, with this one's own schedule and weight decay.

        Weights, averages, the optimizer's moments and the scale of fp16 are the other's, to the bit; learning rates are those
        that this schedule has after as many steps. Raises ``TrialError`` when the other trained something else.
        """
        try:
            self._load_models(carried)
            if self._average:
                self._average.load_state_dict(carried["average"])
            own = self._optimizer.state_dict()
            rules = {key: own[key] for key in RULES if key in own}
            self._optimizer.load_state_dict({**carried["optimizer"], **rules})
            self.step = carried["step"]
        except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            raise TrialError(
                f"{path} is no state that this training can go on from ({type(error).__name__})"
            ) from error
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", "Detected call of `scheduler.step"
            )  # the optimizer's steps are the other's
            for scheduler in self._schedulers * self.step:
                scheduler.step()

    def _load_models(self, state: dict[str, Any]) -> None:
        self._student.load_state_dict(state["student"])
        self._connectors.load_state_dict(state.get("connectors", {}))
        self._weights.load_state_dict(state.get("weights", {}), self._device)
        self._adapter.load_state(state.get("head", {}))

    def _go_on(self, begun: list[dict[str, Any]]) -> None:
        if len(begun) == get_world_size():
            mine = begun[get_rank()]
        else:  # an epoch's record holds what rank 0 has probed
            mine = mean_of(begun) | {"telemetry": begun[0]["telemetry"]}
        self.meter.load_state_dict(mine["meter"], self._device)
        self.telemetry = {name: torch.tensor(value) for name, value in mine["telemetry"].items()}
        self.spent_s, self.spent_workers = mine["spent_s"], mine.get("spent_workers", float(len(begun)))
        for module, saved in zip(self.modules, mine["buffers"], strict=True):
            for buffer, value in zip(module.buffers(), saved, strict=True):
                buffer.copy_(value)


def mean_of(begun: list[Any]) -> Any:
    """Return the mean of the workers' own parts of an epoch, to resume with another number of workers.

    Numbers and floating-point tensors are averaged, counts (of which all workers have the same) are the first one's.
    The loss means of the whole epoch come out as if nothing had changed.
    """
    first = begun[0]
    if isinstance(first, dict):
        return {key: mean_of([each[key] for each in begun]) for key in first}
    if isinstance(first, list):
        return [mean_of(list(each)) for each in zip(*begun, strict=True)]
    if isinstance(first, Tensor):
        return torch.stack(begun).mean(0) if first.is_floating_point() else first
    return sum(begun) / len(begun) if isinstance(first, float) else first
