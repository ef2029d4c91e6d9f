"""Compute detections from pixels, as mmdet's detector does between its pipeline and its answer."""

from typing import Any

import torch
from torch import Tensor, nn

from trainers.compat.mmdet_export import normalised, takes_rgb
from trainers.onnx_export.candidates import candidates
from trainers.onnx_export.suppression import ALL, suppressed


class PixelsToDetections(nn.Module):
    """Compute the detections in one image that has been resized; no gradient flows."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.detector = detector.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return boxes (N, 4), scores (N,) and labels int64 (N,) of ``image``, uint8 (height, width, 3), RGB.

        Boxes are (x1, y1, x2, y2) in pixels of the image, best score first.
        """
        height, width = image.shape[:2]
        head = self.detector.bbox_head
        found = candidates(head, self.detector.extract_feat(self._prepared(image)), height, width)
        nms = head.test_cfg.nms
        most = ALL if type(head).__name__ == "YOLOXHead" else head.test_cfg.max_per_img
        return suppressed(found, nms.iou_threshold, most, class_agnostic=nms.get("class_agnostic", False))

    def _prepared(self, image: Tensor) -> Tensor:
        """Return the batch (1, 3, H, W) that mmdet's preprocessor makes of the image: normalised, then padded."""
        preprocessor = self.detector.data_preprocessor
        channels = image.permute(2, 0, 1).to(torch.float32)
        pixels = normalised(preprocessor, channels if takes_rgb(preprocessor) else channels.flip(0))
        divisor = preprocessor.pad_size_divisor
        right, below = -image.shape[1] % divisor, -image.shape[0] % divisor
        return nn.functional.pad(pixels, (0, right, 0, below), value=float(preprocessor.pad_value))[None]
