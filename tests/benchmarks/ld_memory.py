"""Forecast the memory of mmdet's own distilling step: ``python -m tests.benchmarks.ld_memory``.

Its detector, head and losses are trained as mmdet's configs of LD say, so a row compares the way of forecasting alone with the
figure that mmdet publishes.
"""

import logging
import sys
import warnings
from contextlib import ExitStack
from typing import Any

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

import trainers.compat.ops  # noqa: F401  operators for mmdet's modules
from tests.benchmarks.memory import COCO, CONFIGS, GB, published
from trainers.compat.fake_tensors import fake_mode, make_fake
from trainers.compat.imagined import Imagined
from trainers.compat.live_bytes import LiveBytes
from trainers.compat.mmdet_parts import focal_loss_of_a_gpu
from trainers.costs.images import annotated_images
from trainers.schema.memory import OBJECTS

HOST = torch.device("cpu")
IMAGES = 2
NAMES = tuple(f"ld_r{depth}-gflv1-r101_fpn_1x_coco" for depth in (18, 34, 50))
TEACHER = CONFIGS / "gfl" / "gfl_r101_fpn_ms-2x_coco.py"
HEADER = "| config | published (GB) | mmdet's step, forecast (GB) | difference | of these cuDNN's (GB) |\n|---|---|---|---|---|"


def main() -> int:
    """Print the table."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    init_default_scope("mmdet")
    print(HEADER, flush=True)
    for name in NAMES:
        known, live = published(f"ld/{name}", name), step(distilling(name))
        found = live.peak / GB
        print(
            f"| {name} | {known:.1f} | {found:.2f} | {found / known - 1:+.1%} | {live.workspace / GB:.2f} |", flush=True
        )
    return 0


def distilling(name: str) -> Any:
    """Return mmdet's detector of a config of LD, with its teacher and without weights."""
    model, teacher = Config.fromfile(CONFIGS / "ld" / f"{name}.py").model, Config.fromfile(TEACHER)
    model.backbone.init_cfg = teacher.model.backbone.init_cfg = None
    built = MODELS.build({**model, "teacher_config": teacher, "teacher_ckpt": None})
    built.train()
    return built


def step(model: Any) -> LiveBytes:
    """Make two steps with momentum, and return the bytes in use in the second."""
    live = LiveBytes()
    with ExitStack() as modes:
        for mode in (focal_loss_of_a_gpu(), fake_mode(), Imagined(HOST), live):
            modes.enter_context(mode)
        for part in (model, model.teacher_model):
            make_fake(part, HOST)
            live.take(*part.parameters(), *part.buffers())
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=0.01, momentum=0.9)
        images = annotated_images(model, COCO, IMAGES, OBJECTS)
        for _ in range(2):
            live.restart()
            loss, _parts = model.parse_losses(model.loss(*images))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return live


if __name__ == "__main__":
    sys.exit(main())
