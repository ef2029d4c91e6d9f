"""Compare forecasts of training memory with the figures that mmdet publishes: ``python -m tests.benchmarks.memory``.

mmdet's are the most that torch's allocator held on a V100, in MiB / 1000, read from its wheel. Its detectors are trained on
COCO with two images a GPU (YOLOX: eight), and keep no evidence.
"""

import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import mmdet
from ruamel.yaml import YAML

from trainers.costs.memory import forecast
from trainers.schema import Detector, NoDistillation, Schedule
from trainers.schema.memory import MemoryForecast, MemoryUnit
from trainers.schema.schedule import Ema

CONFIGS = Path(mmdet.__file__).parent / ".mim" / "configs"
GB = 1000 * 2**20
COCO = (1333, 800)
HEADER = "| config | images | size | published (GB) | forecast (GB) | difference | of these cuDNN's (GB) |\n|---|---|---|---|---|---|---|"
# Configs by the names of their figures where these differ.
CHOSEN = {
    "retinanet/retinanet_r18_fpn_1x_coco": "retinanet_r18_fpn_1x_coco",
    "retinanet/retinanet_r50_fpn_1x_coco": "retinanet_r50_fpn_1x_coco",
    "retinanet/retinanet_r101_fpn_1x_coco": "retinanet_r101_fpn_1x_coco",
    "fcos/fcos_r50-caffe_fpn_gn-head_1x_coco": "fcos_r50-caffe_fpn_gn-head_1x_coco",
    "fcos/fcos_r101-caffe_fpn_gn-head-1x_coco": "fcos_r101-caffe_fpn_gn-head-1x_coco",
    "atss/atss_r50_fpn_1x_coco": "atss_r50_fpn_1x_coco",
    "atss/atss_r101_fpn_1x_coco": "atss_r101_fpn_1x_coco",
    "tood/tood_r50_fpn_1x_coco": "tood_r50_fpn_1x_coco",
    "yolox/yolox_tiny_8xb8-300e_coco": "yolox_tiny_8x8_300e_coco",
    "yolox/yolox_s_8xb8-300e_coco": "yolox_s_8x8_300e_coco",
    "yolox/yolox_l_8xb8-300e_coco": "yolox_l_8x8_300e_coco",
    "yolox/yolox_x_8xb8-300e_coco": "yolox_x_8x8_300e_coco",
}
YOLOX = {
    "tiny": (640, 640),
    "s": (800, 800),
    "l": (800, 800),
    "x": (800, 800),
}  # the largest of the sizes that batches are scaled to


def published(config: str, name: str) -> float:
    """Return the training memory that mmdet publishes for a config, in GB."""
    known = YAML(typ="safe").load(CONFIGS / Path(config).parent / "metafile.yml")
    [found] = [model for model in known["Models"] if model["Name"] == name]
    return float(found["Metadata"]["Training Memory (GB)"])


def unit(config: str) -> MemoryUnit:
    """Return the request for a config as mmdet trains it."""
    of_yolox = next((size for kind, size in YOLOX.items() if f"yolox_{kind}_" in config), None)
    images = 8 if of_yolox else 2
    return MemoryUnit(
        key=config,
        student=Detector(config=f"mmdet::{config}.py"),
        teacher=None,
        method=NoDistillation(kind="none"),
        schedule=Schedule(epochs=12, batch_size=images, ema=Ema() if of_yolox else None),
        classes=80,
        size=of_yolox or COCO,
        images=images,
    )


def in_gb(found: MemoryForecast) -> float:
    """Return a forecast without evidence, in GB as mmdet counts them."""
    return (found.peak() - found.evidence) / GB


def rows() -> Iterator[str]:
    """Yield the rows of the table."""
    for config, name in CHOSEN.items():
        known, asked = published(config, name), unit(config)
        found = forecast(asked)
        width, height = found.size
        cells = (
            f"{known:.1f}",
            f"{in_gb(found):.2f}",
            f"{in_gb(found) / known - 1:+.1%}",
            f"{found.workspace / GB:.2f}",
        )
        yield f"| {name} | {asked.images} | {width} x {height} | {' | '.join(cells)} |"


def main() -> int:
    """Print the table."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print(HEADER, flush=True)
    for row in rows():
        print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
