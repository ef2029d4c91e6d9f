"""Average a student's weights exponentially over its steps."""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from trainers.compat.torch_parts import mix_in
from trainers.schema.schedule import Ema


class StudentAverage:
    """Hold the exponential moving average of a student: its parameters, and its buffers such as batch-norm statistics.

    Update t, counted from 0, sets ``a <- (1 - m_t) a + m_t s`` for each floating-point tensor a of the average and s
    of the student, with ``m_t = momentum + (1 - momentum) exp(-(1 + t) / gamma)``; update 0 copies the student. This
    is mmdet's ``ExpMomentumEMA`` with ``update_buffers``, the one of YOLOX, but that a tensor which layers share moves
    once, not once for each layer. Counters keep their values of update 0.
    No gradient flows, and no value is read back from the device.
    """

    def __init__(self, student: nn.Module, settings: Ema) -> None:
        self.module = copy.deepcopy(student).requires_grad_(False)
        self._settings, self._updates = settings, 0
        self._names = _averaged(self.module.state_dict())

    @torch.no_grad()
    def update(self, student: nn.Module) -> None:
        """Update the average with the student after an optimizer step."""
        averages, news = self.module.state_dict(), student.state_dict()
        if self._updates == 0:
            self.module.load_state_dict(news)
        else:
            self._move([averages[name] for name in self._names], [news[name] for name in self._names])
        self._updates += 1

    def _move(self, averages: list[Tensor], news: list[Tensor]) -> None:
        mix_in(averages, news, self._share())

    def _share(self) -> float:
        momentum, gamma = self._settings.momentum, self._settings.gamma
        return (1 - momentum) * math.exp(-(1 + self._updates) / gamma) + momentum

    def state_dict(self) -> dict[str, Any]:
        """Return the state that ``load_state_dict`` needs to continue to the last bit."""
        return {"updates": self._updates, "student": self.module.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self._updates = state["updates"]
        self.module.load_state_dict(state["student"])


def _averaged(state: dict[str, Tensor]) -> list[str]:
    """Return the names of the floating-point tensors, one for each: a tensor that several layers share moves once."""
    places: dict[tuple[int, torch.Size], str] = {}
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.numel():
            places.setdefault((tensor.data_ptr(), tensor.shape), name)
    return list(places.values())
