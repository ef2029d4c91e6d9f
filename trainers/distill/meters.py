"""Sum up losses over an epoch without waiting for the device, and notice the first that is not finite."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce_params
from torch import Tensor

from trainers.distill.diagnosis import Evidence
from trainers.distill.terms.base import Term
from trainers.errors import NonFiniteLoss

IN_FLIGHT = 2  # steps whose losses may be unread: on a GPU a step's losses are looked at while the next one runs


class LossMeter:
    """Hold each loss's sum, in float64 on the device, since the epoch began."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Add one step's losses."""
        for name, value in losses.items():
            addend = value.detach().double()
            self._sums[name] = self._sums[name] + addend if name in self._sums else addend
        self._count += 1

    def state_dict(self) -> dict[str, Any]:
        """Return this worker's sums since the epoch began, in float64, and the number of steps."""
        return {"sums": {name: float(value) for name, value in self._sums.items()}, "count": self._count}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Restore the result of ``state_dict``, to the bit."""
        sums: Mapping[str, float] = state["sums"]
        self._sums = {name: torch.tensor(value, dtype=torch.float64, device=device) for name, value in sums.items()}
        self._count = state["count"]

    def take(self) -> dict[str, float]:
        """Return each loss's mean over steps and workers, and begin anew; all workers call it together."""
        if not self._count:
            return {}
        means = torch.stack(list(self._sums.values())) / self._count
        all_reduce_params([means], op="mean")
        found = dict(zip(self._sums, means.tolist(), strict=True))
        self._sums, self._count = {}, 0
        return found


class FiniteWatch:
    """Check every step's losses once they are computed, and report one that is not finite.

    On a CPU a step is looked at when it is done. On a GPU its losses are copied to the host beside the computation and
    looked at one step later, so that nothing waits. A ``quiet`` watch raises nothing; ``verdict`` tells.
    """

    def __init__(self, trial_id: str, terms: Mapping[str, Term], *, quiet: bool = False) -> None:
        self._trial_id, self._terms, self._quiet = trial_id, terms, quiet
        self._found: NonFiniteLoss | None = None
        self._waiting: deque[tuple[Evidence, Tensor, torch.cuda.Event | None]] = deque()

    def note(self, evidence: Evidence, losses: Mapping[str, Tensor]) -> None:
        """Take a step's evidence and losses; raise ``NonFiniteLoss`` for an earlier step (on a CPU for this one)."""
        values = torch.stack([value.detach().float() for value in losses.values()])
        event = None
        if values.is_cuda:
            values = values.to("cpu", non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        self._waiting.append((evidence, values, event))
        self._settle(keep=0 if event is None else IN_FLIGHT - 1)
        if self._found is not None and not self._quiet:
            raise self._found

    def verdict(self) -> NonFiniteLoss | None:
        """Check all steps so far; return a report of the first loss that was not finite, if any."""
        self._settle()
        return self._found

    def _settle(self, keep: int = 0) -> None:
        """Check all steps but the ``keep`` newest."""
        while len(self._waiting) > keep:
            evidence, values, event = self._waiting.popleft()
            if event is not None:
                event.synchronize()
            finite = torch.isfinite(values).tolist()
            if self._found is None and not all(finite):
                name = evidence.names[finite.index(False)]
                self._found = NonFiniteLoss(
                    f"loss term {name} is not finite at step {evidence.step}: {evidence.describe(name, self._terms)} "
                    f"(trial {self._trial_id})"
                )


def ratios(means: Mapping[str, float], terms: Mapping[str, Term]) -> dict[str, float]:
    """Return ``ratio/<term>``: each term's mean loss as a multiple of the detector's own, which must be above 0."""
    detection = sum(value for name, value in means.items() if name not in terms and name != "total")
    return {f"ratio/{name}": means[name] / detection for name in terms if name in means and detection > 0}
