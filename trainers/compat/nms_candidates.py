"""Give mmdet's last non-maximum suppression a fixed number of boxes (written against mmdet 3.3.0).

The time of suppression depends on the number of boxes above the score threshold, which training decides. A detector
with random weights has none, or all of them.
"""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

LAST_STEPS = (  # the modules that suppress detections; rpn_head suppresses proposals, whose number is fixed already
    "mmdet.models.dense_heads.base_dense_head",
    "mmdet.models.dense_heads.yolox_head",
    "mmdet.models.dense_heads.rtmdet_ins_head",
    "mmdet.models.dense_heads.centernet_head",
    "mmdet.models.dense_heads.corner_head",
    "mmdet.models.layers.bbox_nms",
)


@contextmanager
def fixed_candidates(detector: Any, most: int) -> Iterator[None]:
    """Let suppression see the ``most`` boxes of highest score, or all where there are fewer, inside the block.

    The score thresholds of ``detector`` are zero from then on.
    """
    for module in detector.modules():
        _accept_all(getattr(module, "test_cfg", None))
    originals = {module: module.batched_nms for module in map(importlib.import_module, LAST_STEPS)}
    for module, suppress in originals.items():
        vars(module)["batched_nms"] = _limited(suppress, most)
    try:
        yield
    finally:
        for module, suppress in originals.items():
            vars(module)["batched_nms"] = suppress


def _accept_all(settings: Any) -> None:
    for stage in (settings, (settings or {}).get("rcnn")):
        if stage and "score_thr" in stage:
            stage["score_thr"] = 0.0


def _limited(suppress: Any, most: int) -> Any:
    def limited(boxes: Tensor, scores: Tensor, labels: Tensor, *rest: Any, **settings: Any) -> Any:
        kept = scores.topk(min(most, len(scores))).indices
        found, chosen = suppress(boxes[kept], scores[kept], labels[kept], *rest, **settings)
        return found, kept[chosen]

    return limited
