"""Measure what the end of an epoch costs at MS COCO's size, and at LVIS': evaluation, gathering, checkpoints.

``python -m tests.benchmarks.epoch_end`` draws detections in the place of a detector's, and measures each row in a process of its own.
"""

import argparse
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.dist import collect_results

from tests.benchmarks.document import write_table
from tests.processes.gloo import GlooGroup
from trainers.evaluation.evaluate import Found, coco_metrics, ground_truth, in_coco_form
from trainers.evaluation.voc_metrics import VocFound
from trainers.schema.class_names import COCO80

IMAGES, OBJECTS, SIDE = 5000, 7, 640.0
WORKERS = 8
LIMIT = timedelta(minutes=10)
MIB = 2**20
HEADER = "| at the end of an epoch | seconds | processor seconds | MiB more, at the peak | MiB written or sent |\n|---|---|---|---|---|"


class Extent(NamedTuple):
    """Hold how many classes there are, and how many detections of an image."""

    classes: int
    detections: int


COCO, LVIS = Extent(80, 100), Extent(1203, 300)


class Cost(NamedTuple):
    """Hold seconds by the wall's clock and of processor time, MiB beyond those before, and MiB written or sent."""

    seconds: float
    processor: float
    peak: float
    moved: float = 0.0


class Drawn:
    """Serve records with drawn boxes as a data set does."""

    def __init__(self, extent: Extent, images: int = IMAGES) -> None:
        rng = np.random.default_rng(0)
        names = COCO80 if extent.classes == len(COCO80) else tuple(f"class {n}" for n in range(extent.classes))
        self.metainfo = {"classes": names}
        self._boxes = [boxes(rng, int(rng.poisson(OBJECTS)) + 1) for _ in range(images)]
        self._labels = [rng.integers(0, extent.classes, len(found)) for found in self._boxes]

    def __len__(self) -> int:
        return len(self._boxes)

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return a record."""
        pairs = zip(self._boxes[index].tolist(), self._labels[index].tolist(), strict=True)
        instances = [{"bbox": box, "bbox_label": label, "ignore_flag": 0} for box, label in pairs]
        return {"img_id": index, "width": int(SIDE), "height": int(SIDE), "instances": instances}

    def found(self, index: int, extent: Extent) -> Found:
        """Return the detections in an image: half of them near an object of their class."""
        rng, truth = np.random.default_rng((1, index)), self._boxes[index]
        chosen, hit = rng.integers(0, len(truth), extent.detections), rng.random(extent.detections) < 0.5
        near = truth[chosen] + rng.normal(0, 8, (extent.detections, 4))
        found = np.where(hit[:, None], near, boxes(rng, extent.detections)).astype(np.float32)
        labels = np.where(hit, self._labels[index][chosen], rng.integers(0, extent.classes, extent.detections))
        return index, VocFound(found, rng.random(extent.detections).astype(np.float32), labels)


def boxes(rng: np.random.Generator, count: int) -> Any:
    """Return boxes of all sizes, (count, 4), as (x1, y1, x2, y2) in pixels."""
    sides = np.exp(rng.uniform(np.log(8), np.log(400), (count, 2)))
    low = rng.random((count, 2)) * (SIDE - sides)
    return np.concatenate([low, low + sides], 1)


def measured(work: Callable[[], float]) -> Cost:
    """Return what a piece of work costs this process; it returns the MiB that it has moved."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, wall, processor = memory("VmRSS"), time.perf_counter(), time.process_time()
    moved = work()
    return Cost(time.perf_counter() - wall, time.process_time() - processor, memory("VmHWM") - before, moved)


def memory(name: str) -> float:
    """Return MiB of this process as the kernel counts them."""
    found = re.search(name + r":\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def evaluation(extent: Extent, images: int) -> Cost:
    """Measure from gathered detections to metrics."""
    data = Drawn(extent, images)
    found = [data.found(index, extent) for index in range(len(data))]

    def work() -> float:
        truth, ids = ground_truth(data), list(range(1, extent.classes + 1))
        given = in_coco_form(data, found)
        coco_metrics(truth, given, "faster-coco-eval", ids, per_class=True, max_detections=extent.detections)
        return 0.0

    return measured(work)


def gathering(rank: int, extent: Extent, images: int) -> Cost:
    """Measure the gathering of detections, of which each worker has a share."""
    data = Drawn(extent, images)
    own = [data.found(index, extent) for index in range(rank, len(data), WORKERS)]

    def work() -> float:
        collect_results(own, len(data), device="gpu")
        return WORKERS * sum(found.boxes.nbytes + found.scores.nbytes + found.labels.nbytes for _, found in own) / MIB

    return measured(work)


def gathered(extent: Extent, images: int) -> Cost:
    """Return what the gathering costs the first of the workers."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    group = GlooGroup(WORKERS, context, LIMIT)
    with tempfile.TemporaryDirectory() as folder:
        first, *_ = group.run(gathering, Path(folder), extent, images)
    group.close()
    return Cost(*first)


def checkpoint(_: Extent, __: int) -> Cost:
    """Measure the record of an epoch of GFL-R50: its state, and the student, which is the best so far."""
    from tests.benchmarks.detectors import R50, build
    from tests.benchmarks.step import SCHEDULE
    from trainers.loop.optimise import build_optimizer
    from trainers.state.checkpoints import TrialFiles

    student = build(R50)
    optimizer = build_optimizer(student, SCHEDULE)
    for weight in student.parameters():
        weight.grad = weight.detach().clone()
    optimizer.step()
    optimizer.zero_grad()
    with tempfile.TemporaryDirectory() as folder:
        files = TrialFiles(folder)

        def work() -> float:
            state = {"step": 1, "student": student.state_dict(), "optimizer": optimizer.state_dict()}
            files.commit(state, [], lambda: {"state_dict": student.state_dict(), "meta": {"epoch": 1}})
            return sum(path.stat().st_size for path in Path(folder).iterdir()) / MIB

        return measured(work)


def rows(images: int) -> Iterator[str]:
    """Yield the table's lines."""
    yield HEADER
    alone = partial(_alone, images)
    for name, extent in (("80 classes", COCO), ("1,203 classes", LVIS)):
        what = f"{images:,} images, {extent.detections} detections of each"
        yield line(f"evaluation of {name}: {what}", alone(evaluation, extent))
    what = f"{images:,} images, {COCO.detections} of each, from {WORKERS} workers"
    yield line(f"gathering of detections: {what}", gathered(COCO, images))
    yield line("state and best student of GFL-R50", alone(checkpoint, COCO))


def _alone(images: int, work: Callable[[Extent, int], Cost], extent: Extent) -> Cost:
    """Measure in a process that has done nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, (extent, images))


def line(name: str, cost: Cost) -> str:
    """Return a row of the table."""
    moved = f"{cost.moved:,.0f}" if cost.moved else ""
    return f"| {name} | {cost.seconds:.1f} | {cost.processor:.1f} | {cost.peak:,.0f} | {moved} |"


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.epoch_end", description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES, help=f"default {IMAGES}")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    table = "\n".join(rows(arguments.images))
    print(table)
    if arguments.write:
        write_table(table, "epoch-end")
    return 0


if __name__ == "__main__":
    # processes that are started find this module by its name, not as __main__
    from tests.benchmarks.epoch_end import main as named

    sys.exit(named())
