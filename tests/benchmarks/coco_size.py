"""Measure what annotations of MS COCO's size cost: time and memory of workers, of loader processes and of commands.

``python -m tests.benchmarks.coco_size`` writes them (half a gigabyte) and measures each row in a process of its own, in turn.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.coco_annotations import COCO, LVIS, Extent, write_data_set
from tests.benchmarks.document import write_table
from trainers.schema import CocoDataset

ROOT = Path(__file__).parents[2]
SIZES = {"coco": COCO, "lvis": LVIS}
STUDY = """
name: large
dataset: {dataset}
student: {{config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}
method: {{kind: none}}
schedule: {{epochs: 12}}
"""
# Each child prints processor seconds, and by how many MiB its memory has grown, at the end and at its peak.
CHILD = """
import gc, os, pickle, re, sys, time
from pathlib import Path
import trainers.compat.ops
import mmdet.models
from mmdet.datasets import CocoDataset as TheirCoco
from mmengine.registry import init_default_scope
from trainers.data.datasets import build_dataset
from trainers.data.loaders import TrainStream
from trainers.schema import CocoDataset, class_names
from trainers.schema.digest import file_digest

def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

def stream(data):
    return TrainStream(data, batch_size=16, seed=0, rank=0, world=1, loader_workers=0)

spec = CocoDataset.model_validate_json(sys.argv[1])
file = Path(spec.root) / spec.train.annotations
kept = Path(spec.root) / "loader.pkl"
init_default_scope("mmdet")
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
before, began = memory("VmRSS"), time.process_time()
{work}
seconds = time.process_time() - began
gc.collect()
print("measured", seconds, memory("VmRSS") - before, memory("VmHWM") - before)
"""
THEIRS = """found = TheirCoco(
    ann_file=spec.train.annotations, data_root=spec.root, data_prefix={"img": spec.train.images},
    metainfo={"classes": class_names(spec)}, filter_cfg={"filter_empty_gt": True, "min_size": 32}, pipeline=[])
found = stream(found)"""
OURS = """found = stream(build_dataset(spec, "train"))
kept.write_bytes(pickle.dumps(found._dataset))"""
LOADER = """found = pickle.loads(kept.read_bytes())
for place in range(5000):
    found.dataset.get_data_info(place % len(found.dataset))"""
STAGES = {
    "mmdet's `CocoDataset`, each worker": THEIRS,
    "the first worker on a machine": OURS,
    "each worker after it, each later cohort": OURS,
    "each loader process, 5,000 records": LOADER,
    "SHA-256 of the file": "file_digest(file)",
}
COMMANDS = {"`stillhouse plan`": ("plan",), "`stillhouse data check`": ("data", "check")}


class Cost(NamedTuple):
    """Hold what a process took: seconds of processor time, MiB at its end and at its peak beyond its start."""

    seconds: float
    kept: float | None
    peak: float | None


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.coco_size", description=str(__doc__))
    parser.add_argument("--size", choices=SIZES, default="coco", help="whose size (default: coco)")
    parser.add_argument("--share", type=float, default=1.0, help="the share of the images and boxes (default: 1)")
    parser.add_argument("--data", type=Path, help="an empty folder for the data, or one of an earlier run")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args()
    extent = part_of(SIZES[arguments.size], arguments.share)
    with tempfile.TemporaryDirectory() as folder:
        table = "\n".join(rows(measure(extent, arguments.data or Path(folder) / "data", Path(folder))))
    print(table)
    if arguments.write:
        write_table(table, arguments.size)


def part_of(extent: Extent, share: float) -> Extent:
    """Return a share of a data set."""
    numbers = {name: max(1, round(getattr(extent, name) * share)) for name in ("images", "boxes", "evaluated")}
    return replace(extent, **numbers)


def measure(extent: Extent, data: Path, folder: Path) -> Iterator[tuple[str, Cost]]:
    """Yield the cost of each stage."""
    known = data / "spec.json"
    if not known.exists():
        written = write_data_set(data, extent)
        known.write_text(written.model_dump_json())
    spec = CocoDataset.model_validate_json(known.read_text())
    environment = {**os.environ, "STILLHOUSE_CACHE": str(folder / "cache"), "STILLHOUSE_STORE": str(folder / "store")}
    for name, work in STAGES.items():
        yield name, stage(work, spec, environment)
    study = folder / "study.yaml"
    study.write_text(
        STUDY.format(dataset=json.dumps(spec.model_dump(mode="json", exclude_defaults=True) | {"kind": "coco"}))
    )
    for name, command in COMMANDS.items():
        yield name, whole([sys.executable, "-m", "stillhouse", *command, str(study)], environment)


def stage(work: str, spec: CocoDataset, environment: dict[str, str]) -> Cost:
    """Run a stage in a process of its own."""
    command = [sys.executable, "-c", CHILD.replace("{work}", work), spec.model_dump_json()]
    said = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
    return Cost(*map(float, said.rpartition("measured")[2].split()))


def whole(command: list[str], environment: dict[str, str]) -> Cost:
    """Run a command; its processor time is that of all its processes, its peak that of the command itself."""
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    used = os.wait4(process.pid, 0)[2]
    process.returncode = 0  # it has been waited for
    return Cost(used.ru_utime + used.ru_stime, None, used.ru_maxrss / 1024)


def rows(found: Iterator[tuple[str, Cost]]) -> Iterator[str]:
    """Yield the lines of a table; the first stage is the measure of all."""
    yield "| stage | processor seconds | of mmdet's | MiB more | at the peak |"
    yield "|---|---|---|---|---|"
    theirs: Any = None
    for name, cost in found:
        theirs = theirs or cost
        memory = " | ".join("" if value is None else f"{value:,.0f}" for value in (cost.kept, cost.peak))
        yield f"| {name} | {cost.seconds:.2f} | {cost.seconds / theirs.seconds:.3f} | {memory} |"


if __name__ == "__main__":
    main()
