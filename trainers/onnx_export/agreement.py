"""Hold an ONNX model against the detector that it was written from, before anything is kept."""

from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from numpy.typing import NDArray

from trainers.detectors.explain import explained
from trainers.errors import TrialError
from trainers.onnx_export.graph import INPUT

SIZES = ((96, 160), (231, 130))  # height and width of the images of noise: neither is the one that was traced
BEST, TOLERANCE = 10, 1e-3


def require_agreement(model: Any, detector: Any) -> None:
    """Raise ``TrialError`` where onnxruntime does not run ``model``, or its best scores are not the detector's."""
    import onnxruntime as ort  # of the extra ``onnx``

    settings = ort.SessionOptions()
    settings.log_severity_level = 4
    for size in SIZES:
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        with explained("run this detector's ONNX file with onnxruntime"):
            session = ort.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
            scores = session.run(["scores"], {INPUT: pixels})[0]
        expected = found_by_mmdet(detector, pixels).scores.numpy()
        _require_equal(scores[:BEST], expected[:BEST], size)


def found_by_mmdet(detector: Any, pixels: NDArray[np.uint8]) -> Any:
    """Return mmdet's detections in an image (height, width, 3), RGB, that its pipeline has resized."""
    size = pixels.shape[:2]
    sample = DetDataSample(metainfo={"img_shape": size, "ori_shape": size, "scale_factor": (1.0, 1.0)})
    blue_first = torch.from_numpy(np.ascontiguousarray(pixels[:, :, ::-1])).permute(2, 0, 1)
    with torch.no_grad():
        data = detector.data_preprocessor({"inputs": [blue_first], "data_samples": [sample]}, False)
        [found] = detector.predict(data["inputs"], data["data_samples"], rescale=False)
    return found.pred_instances


def _require_equal(scores: NDArray[np.float32], expected: NDArray[np.float32], size: tuple[int, int]) -> None:
    if len(scores) != len(expected) or np.abs(scores - expected).max(initial=0.0) > TOLERANCE:
        raise TrialError(
            f"the ONNX file finds other objects than mmdet on noise of {size[1]} x {size[0]} pixels (best scores "
            f"{scores[:3].tolist()} and {expected[:3].tolist()}): this detector cannot be written as ONNX"
        )
