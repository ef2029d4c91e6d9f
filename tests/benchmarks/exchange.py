"""Count what workers exchange in a step, under each of DDP's settings: ``python -m tests.benchmarks.exchange``.

A BCKD step is compared with a step of the same student in a plain ``DistributedDataParallel``. Counted are the collectives
that gloo has carried out, as torch's profiler lists them, in the third step (DDP orders its buckets anew after the first).
"""

import argparse
import multiprocessing
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from math import prod
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from mmengine.optim import build_optim_wrapper
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.profiler import ProfilerActivity, profile

from tests.benchmarks.batch import batch
from tests.benchmarks.detectors import R50, R101
from tests.benchmarks.gpu_check.cohorts import built, student_in_training
from tests.benchmarks.gpu_check.scale import MODES, Scale, scale_of
from tests.benchmarks.step import METHOD, PLAIN
from tests.processes.gloo import GlooGroup
from trainers.distill.adapters.base import TargetCache
from trainers.distill.distiller import FrozenTeacher
from trainers.loop.accumulate import Chunk
from trainers.loop.loop import prepare_process

CPU = torch.device("cpu")
SIZE = (128, 96)
STEPS = 3
PLAIN_DDP = "plain DDP, student alone"
LIMIT = timedelta(minutes=10)
SETTINGS: dict[str, dict[str, bool]] = {
    "as trained": {},
    "find_unused_parameters": {"find_unused_parameters": True},
    "gradients beside the buckets": {"gradient_as_bucket_view": False},
    "static_graph": {"static_graph": True},
}
HEADER = (
    "| step | collectives | buckets of gradients | MiB exchanged | MiB of gradients and buckets | loss |\n"
    "|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Exchanged:
    """Hold what one step exchanges: collectives, those of gradients among them (``buckets``), and the bytes of all.

    ``gradients`` are the bytes of the gradients; ``shared`` tells whether they lie in the buckets, or beside them.
    """

    collectives: int
    buckets: int
    bytes: int
    gradients: int
    shared: bool
    loss: float

    @property
    def held(self) -> int:
        """Return the bytes of gradients and buckets."""
        return self.gradients if self.shared else 2 * self.gradients

    def row(self, name: str) -> str:
        """Return the row of the table."""
        moved, held = (f"{size / 2**20:.1f}" for size in (self.bytes, self.held))
        return f"| {name} | {self.collectives} | {self.buckets} | {moved} | {held} | {self.loss:.6f} |"


class Bare(nn.Module):
    """Return mmdet's losses from ``forward``, which DDP wraps."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, inputs: torch.Tensor, samples: Any) -> dict[str, Any]:
        """Return the losses."""
        return self.detector.loss(inputs, samples)


def bare(scale: Scale, images: tuple[torch.Tensor, Any]) -> Exchanged:
    """Count a step of the student in a plain DDP."""
    detector = built(scale.student)
    detector.train()
    model = DistributedDataParallel(Bare(detector))
    optimizer = build_optim_wrapper(detector, PLAIN)

    def step() -> float:
        loss, _ = detector.parse_losses(model(*images))
        optimizer.update_params(loss)
        return loss.item()

    return counted(step, model)


def distilling(scale: Scale, images: tuple[torch.Tensor, Any], settings: dict[str, bool]) -> Exchanged:
    """Count a BCKD step with some of DDP's settings changed."""
    teacher = FrozenTeacher(built(scale.teacher))
    teacher.serve(METHOD)
    wrapped: list[Any] = []

    def parallel(module: Any, **given: Any) -> Any:
        wrapped.append(DistributedDataParallel(module, **{**given, **settings}))
        return wrapped[0]

    with patch("trainers.loop.data_parallel.DistributedDataParallel", parallel):
        member = student_in_training(teacher, scale, MODES[0])

    def step() -> float:
        member.train_step([Chunk(*images, teacher.forward(images[0]), TargetCache())])
        return float(member._state.meter.take()["total"])

    return counted(step, wrapped[0])


def counted(step: Callable[[], float], model: Any) -> Exchanged:
    """Make steps and count the collectives of the last; all that is exchanged has four bytes a number."""
    for _ in range(STEPS - 1):
        step()
    storages: list[int] = []
    hook = register_optimizer_step_pre_hook(lambda *_: storages.append(_storages(model)))
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        loss = step()
    hook.remove()
    sizes = [sum(map(prod, event.input_shapes)) for event in profiler.events() if event.name.startswith("gloo:")]
    known = model._get_ddp_logging_data()
    buckets = known.get("rebuilt_bucket_sizes") or known["bucket_sizes"]
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    return Exchanged(
        collectives=len(sizes),
        buckets=len(buckets.split(",")),
        bytes=4 * sum(sizes),
        gradients=sum(weight.nbytes for weight in trained),
        shared=storages[0] < len(trained) // 2,
        loss=loss,
    )


def _storages(model: nn.Module) -> int:
    """Return in how many pieces of memory the gradients lie."""
    return len({weight.grad.untyped_storage().data_ptr() for weight in model.parameters() if weight.grad is not None})


def of_a_worker(_rank: int, toy: bool, names: Sequence[str] = tuple(SETTINGS)) -> dict[str, dict[str, Any]]:
    """Count steps in a worker of a group: of the student alone, and under the settings of these names."""
    warnings.simplefilter("ignore")
    prepare_process(1, False)
    scale = scale_of(CPU) if toy else replace(scale_of(CPU), teacher=R101, student=R50)
    images = batch(built(scale.student), 1, SIZE)
    found = {PLAIN_DDP: bare(scale, images)}
    for name in names:
        found[name] = distilling(scale, images, SETTINGS[name])
    return {name: asdict(exchanged) for name, exchanged in found.items()}


def in_a_group(workers: int, *, toy: bool) -> dict[str, Exchanged]:
    """Return what the first worker of a group counts; small detectors, or the paper's."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trainers.loop.loop", __name__])
    group = GlooGroup(workers, context, LIMIT)
    with tempfile.TemporaryDirectory() as folder:
        first, *_ = group.run(of_a_worker, Path(folder), toy)
    group.close()
    return {name: Exchanged(**counts) for name, counts in first.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.exchange", description=__doc__)
    parser.add_argument(
        "--workers", type=int, default=2, help="default 2: counts and bytes of each are those of any number"
    )
    parser.add_argument("--toy", action="store_true", help="small detectors in the place of GFL R101 -> R50")
    asked = parser.parse_args(arguments)
    print(HEADER)
    for name, found in in_a_group(asked.workers, toy=asked.toy).items():
        print(found.row(name))
    return 0


if __name__ == "__main__":
    # the workers find this module by its name, not as __main__
    from tests.benchmarks.exchange import main as named

    sys.exit(named())
