"""Make one optimizer step of a batch that does not fit into memory at once, from chunks of it."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dist import all_reduce_params
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainers.compat.mmdet_parts import reduce_mean_by
from trainers.compat.torch_parts import batch_norms
from trainers.distill.adapters.base import TargetCache
from trainers.distill.head_outputs import HeadOutputs
from trainers.errors import TrialError

Losses = dict[str, Tensor]
Forward = Callable[[Any, "Chunk", bool], Losses]


@dataclass(frozen=True)
class Chunk:
    """Hold images (B, 3, H, W) of one pass of the student, their samples, and the teacher's outputs for them.

    ``seed`` is that of the random draws which begin here, ``None`` where they go on from the chunk before.
    """

    inputs: Tensor
    samples: Any
    teacher: HeadOutputs | None
    targets: TargetCache
    seed: int | None = None


def chunk_count(images: int, micro_batch: int | None) -> int:
    """Return the smallest number of equal chunks of at most ``micro_batch`` images each."""
    least = 1 if micro_batch is None else -(-images // micro_batch)
    return next(count for count in range(max(1, least), images + 1) if images % count == 0) if images else 1


class Accumulator:
    """Compute losses and gradients of a worker's share of a batch, chunk by chunk.

    Gradients and losses are the means over the chunks, as they are over workers: each chunk is like one more worker. So
    the step is that of the whole share, up to the order of sums, where it is the same for that many more workers:

    - losses that mmdet divides by a mean over workers (``reduce_mean``) are divided by the mean over workers and chunks.
      It is found beforehand, by running the student once more on every chunk, without gradient. mmdet does not divide
      by less than 1: a chunk that has less than one positive on the mean has smaller losses, as such a worker has;
    - RetinaNet divides by a worker's own number of positives, PKD standardises over a worker's images, and
      ``level_gate: has_positives`` looks at a worker's images: here it is the chunk's;
    - batch norms that train normalise by a chunk's images; their running statistics move once a step, to the mean over
      the chunks. Frozen ones change nothing.

    With one chunk nothing is computed but its losses.
    """

    def __init__(self, model: Any, distiller: nn.Module) -> None:
        self._model, self._distiller = model, distiller
        self._reduces = True

    def run(self, chunks: list[Chunk], forward: Forward, backward: Callable[[Chunk, Losses, int], None]) -> Losses:
        """Return each loss's mean over the chunks, (scalars, with no graph left to use where there are several).

        ``forward(model, chunk, first)`` returns a chunk's losses, ``backward(chunk, losses, chunks)`` adds an n-th of
        their gradient. All workers call it with the same number of chunks. Raises ``TrialError`` for a head that asks
        for another number of means for each chunk.
        """
        if len(chunks) == 1:
            losses = forward(self._model, chunks[0], True)
            backward(chunks[0], losses, 1)
            return losses
        statistics = Statistics(self._distiller)
        means = self._means(chunks, forward, statistics)
        found: list[Losses] = []
        for number, chunk in enumerate(chunks):
            with self._synchronised(number == len(chunks) - 1), reduce_mean_by(answers(means)):
                losses = forward(self._model, chunk, number == 0)
                backward(chunk, losses, len(chunks))
            found.append({name: value.detach() for name, value in losses.items()})
            statistics.take()
        statistics.settle()
        return {name: torch.stack([losses[name] for losses in found]).mean() for name in found[0]}

    @torch.no_grad()
    def _means(self, chunks: list[Chunk], forward: Forward, statistics: "Statistics") -> list[Tensor]:
        """Return the means over workers and chunks that the head will ask for in each chunk, in order."""
        if not self._reduces:
            return []
        asked: list[list[Tensor]] = []
        device = chunks[0].inputs.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            for chunk in chunks:
                asked.append([])
                with reduce_mean_by(lambda tensor: asked[-1].append(tensor.clone())):
                    forward(self._distiller, chunk, False)
        statistics.put_back()
        if len({len(row) for row in asked}) > 1:
            raise TrialError("micro_batch does not work with this head: it averages over workers image by image")
        means = [torch.stack(values).double().mean(0) for values in zip(*asked, strict=True)]
        self._reduces = bool(means)
        all_reduce_params(means, op="mean")
        return means

    def _synchronised(self, last: bool) -> Any:
        """Restrict the exchange of gradients between workers to the last chunk."""
        apart = isinstance(self._model, DistributedDataParallel) and not last
        return self._model.no_sync() if apart else nullcontext()


class Statistics:
    """Start each chunk from the step's batch-norm statistics, and end at the mean over the chunks."""

    def __init__(self, model: nn.Module) -> None:
        norms = [norm for norm in batch_norms(model) if norm.training]
        self._buffers = [buffer for norm in norms for buffer in norm.buffers()]
        self._before = [buffer.clone() for buffer in self._buffers]
        self._sums = [torch.zeros_like(buffer) for buffer in self._buffers]
        self._count = 0

    def put_back(self) -> None:
        """Restore the statistics of the step's begin, or of the last taken chunk."""
        for buffer, value in zip(self._buffers, self._before, strict=True):
            buffer.copy_(value)

    def take(self) -> None:
        """Keep a chunk's statistics, and restore the earlier ones for the next."""
        self._count += 1
        for total, buffer in zip(self._sums, self._buffers, strict=True):
            total.add_(buffer)
        self.put_back()

    def settle(self) -> None:
        """Set the statistics to the mean of the chunks; counters have counted the step once."""
        for buffer, total in zip(self._buffers, self._sums, strict=True):
            buffer.copy_(total / self._count if buffer.is_floating_point() else total // self._count)


def answers(means: list[Tensor]) -> Callable[[Tensor], Any]:
    """Return a handler that answers each request for a mean with the next of ``means``."""
    waiting = iter(means)
    return lambda tensor: tensor.copy_(next(waiting))
