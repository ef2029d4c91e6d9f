"""Weigh each term at a step: by the study's weight, the moments in which the term acts, and the share that it holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import all_reduce_params, broadcast
from torch import Tensor

from trainers.distill.probe import gradient_norm
from trainers.distill.terms.base import Term
from trainers.schema.schedule import Schedule
from trainers.schema.terms import GradShare
from trainers.schema.timing import Window, window_of

ALWAYS = Window(0, None, 0)
SMOOTHING = 0.9  # of the running means of gradient norms
Losses = Mapping[str, Tensor]


@dataclass
class HeldShare:
    """Hold a term's share of the gradient.

    ``means`` are running means in float64 on the device: of the norm of the term's gradient at weight 1, of the norms of all
    that has a given weight, and the number of measurements behind them; ``None`` before the first.
    """

    settings: GradShare
    means: Tensor | None = None

    def measured(self, term: Tensor, rest: Tensor) -> None:
        """Take in a measurement; one that is not finite, or in which the term pulls at nothing, changes nothing."""
        before = torch.zeros(3, dtype=term.dtype, device=term.device) if self.means is None else self.means
        count = before[2]
        kept = (count / (count + 1)).clamp(max=SMOOTHING)  # a plain mean at first
        moved = kept * before[:2] + (1 - kept) * torch.stack([term, rest])
        sound = torch.isfinite(term) & torch.isfinite(rest) & (term > 0)
        self.means = torch.where(sound, torch.cat([moved, count[None] + 1]), before)

    def weight(self, taken: float) -> Tensor | float:
        """Return the weight at which the term has its share, where all terms that hold one hold ``taken`` together."""
        if self.means is None:
            return 1.0
        term, rest, count = self.means
        return torch.where(count > 0, self.settings.grad_share / (1.0 - taken) * rest / term, 1.0)


class TermWeights:
    """Hold the weights of a method's terms through a training.

    A term's loss is computed at the weight that the study gives (1 where it holds a share). Here it is multiplied by
    the schedule's factor, 0 to 1, and by the weight that holds the share.
    """

    def __init__(self, terms: Mapping[str, Term]) -> None:
        self._specs = {name: term.spec for name, term in terms.items()}
        self._windows = dict.fromkeys(terms, ALWAYS)
        weights = {name: spec.weight for name, spec in self._specs.items()}
        self._held = {name: HeldShare(weight) for name, weight in weights.items() if isinstance(weight, GradShare)}
        self._step = 0
        self._due: frozenset[str] = frozenset()
        self._of_first_share = False

    def follow(self, schedule: Schedule, steps_per_epoch: int) -> None:
        """Let terms act when the study says so; before this is called all act always."""
        self._windows = {name: window_of(spec, schedule, steps_per_epoch) for name, spec in self._specs.items()}

    def measure_first_share(self) -> None:
        """Measure a share of the gradient on the first worker's first chunk: the same images for any number of workers."""
        self._of_first_share = True

    def begin(self, step: int) -> None:
        """Turn to a step, counted from 0."""
        self._step = step
        self._due = frozenset(filter(self._is_due, self.acting()))

    def acting(self, step: int | None = None) -> list[str]:
        """Return the terms that weigh more than nothing at ``step`` (``None``: at the step begun last), in their order."""
        at = self._step if step is None else step
        return [name for name, window in self._windows.items() if window.factor(at) > 0.0]

    def acts_always(self, name: str) -> bool:
        """Tell whether a term acts in every step."""
        window = self._windows[name]
        return window.first == 0 and window.end is None

    def weigh(self, features: list[Tensor], detection: Losses, distilled: Losses) -> dict[str, Tensor]:
        """Return the acting terms' losses at their weights.

        ``distilled`` are these losses as the terms return them, ``detection`` the detector's own, ``features`` the student's
        pyramid. Where a share is due for measurement, norms are means over workers (or the first worker's, see
        ``measure_first_share``), which all call this together.
        """
        given = {name: self._given(name, loss) for name, loss in distilled.items() if name not in self._held}
        held = {name: loss for name, loss in distilled.items() if name in self._held}
        if self._due and torch.is_grad_enabled():
            self._measure(features, list(detection.values()), list(given.values()), held)
            self._due = frozenset()
        weighed = given | {name: loss * self._held_weight(name).to(loss.dtype) for name, loss in held.items()}
        return {name: weighed[name] for name in distilled}

    def record(self) -> dict[str, float]:
        """Return ``weight/<term>`` at the step begun last, for the terms whose weight changes in training."""
        return {f"weight/{name}": float(value) for name, value in self._changing()}

    def rescheduled(self, metrics: Mapping[str, float], step: int) -> dict[str, float]:
        """Return a record's metrics of ``step`` with the weights that follow from this schedule in place of another one's."""
        given = {f"weight/{name}" for name in self._windows if name not in self._held}
        own = {f"weight/{name}": float(value) for name, value in self._scheduled(step)}
        return {name: value for name, value in metrics.items() if name not in given} | own

    def state_dict(self) -> dict[str, Any]:
        """Return the running means by term, with which training goes on to the bit; empty where no term holds a share."""
        return {name: held.means for name, held in self._held.items() if held.means is not None}

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        """Go on from the running means that ``state_dict`` returned."""
        for name, means in state.items():
            self._held[name].means = means.to(device)

    def _changing(self) -> Iterator[tuple[str, Tensor | float]]:
        yield from ((name, self._held_weight(name)) for name in self._windows if name in self._held)
        yield from self._scheduled(self._step)

    def _scheduled(self, step: int) -> Iterator[tuple[str, float]]:
        """Yield the terms whose weight changes by the schedule alone, with their weights at a step."""
        for name, window in self._windows.items():
            if name not in self._held and not window.is_whole:
                yield name, self._specs[name].scale * window.factor(step)

    def _is_due(self, name: str) -> bool:
        since = self._step - self._windows[name].first
        return name in self._held and since % self._held[name].settings.every == 0

    def _given(self, name: str, loss: Tensor) -> Tensor:
        factor = self._windows[name].factor(self._step)
        return loss if factor == 1.0 else loss * factor

    def _held_weight(self, name: str) -> Tensor:
        taken = sum(self._held[other].settings.grad_share for other in self.acting() if other in self._held)
        factor = self._windows[name].factor(self._step)
        return torch.as_tensor(self._held[name].weight(taken) if factor else 0.0) * factor

    def _measure(self, features: list[Tensor], detection: list[Tensor], given: list[Tensor], held: Losses) -> None:
        losses = [torch.stack(detection).sum(), *given, *held.values()]
        norms = torch.stack([gradient_norm(loss, features).double() for loss in losses])
        if self._of_first_share:
            broadcast(norms, src=0)
        else:
            all_reduce_params([norms], op="mean")
        rest = norms[: 1 + len(given)].sum()
        for name, norm in zip(held, norms[1 + len(given) :], strict=True):
            if name in self._due:
                self._held[name].measured(norm, rest)
