"""Let a detector's training start from the weights of a whole detector."""

from typing import Any

import torch
from mmdet.registry import MODELS
from torch import nn

from trainers.detectors.detector import model_config
from trainers.detectors.explain import explained
from trainers.formats.class_layout import ClassLayout, class_layouts
from trainers.formats.starting import StartReport, load_start
from trainers.schema import Detector


def start_detector(model: nn.Module, detector: Detector, classes: tuple[str, ...]) -> StartReport | None:
    """Load the detector checkpoint that ``detector`` asks for into its initialised ``model``; return a report.

    Returns ``None`` for a detector that asks for none. Raises ``TrialError`` when the checkpoint cannot be had or does not
    fit.
    """
    weights = detector.detector_weights
    if weights is None:
        return None
    return load_start(model, weights, layouts_of(model, detector, len(classes)), classes)


def layouts_of(model: nn.Module, detector: Detector, classes: int) -> dict[str, ClassLayout | None]:
    """Return the tensors of ``model`` whose shapes depend on the number of classes, for any head.

    A second detector with one class more tells them: no list of heads has to know their names.
    """
    with explained(f"build detector {detector.config}"), torch.random.fork_rng(devices=[]):
        wider = MODELS.build(model_config(detector, classes + 1))
    return class_layouts(_shapes(model), _shapes(wider), classes)


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
