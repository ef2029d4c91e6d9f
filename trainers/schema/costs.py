"""Define the cost of a detector (parameters, MACs, latency), and requests and answers of ``trainers.costs.measure``.

Imports nothing heavy.
"""

from trainers.schema.base import Section
from trainers.schema.dataset import DatasetSpec, class_count
from trainers.schema.detector import Detector
from trainers.schema.image_pipeline import COCO_DETECTIONS

COSTS = ("parameters", "macs", "latency_ms")  # by which a search can choose
CANDIDATES = 1000  # boxes that non-maximum suppression sees in a measurement of latency, at most


class Latency(Section):
    """Hold how long a detector takes for one image on a CPU, from the normalised image to the boxes.

    ``median_ms``, ``min_ms`` and ``spread_ms`` (the distance of the quartiles) are over ``repeats`` forwards in
    ``threads`` threads on ``machine``, the name of its CPU.
    """

    median_ms: float
    min_ms: float
    spread_ms: float
    repeats: int
    threads: int
    machine: str


class DetectorCost(Section):
    """Hold the cost of a detector for ``classes`` classes and an input of ``input_size`` (width, height) in pixels.

    ``macs`` are the multiply-adds of one forward; ``None`` where it cannot be made at that size.
    """

    parameters: int
    macs: int | None
    input_size: tuple[int, int]
    classes: int
    latency: Latency | None = None


class CostUnit(Section):
    """Ask for the cost of one detector at a test size (width, height); ``latency`` asks for the time as well."""

    key: str
    detector: Detector
    classes: int
    size: tuple[int, int]
    max_detections: int = COCO_DETECTIONS
    latency: bool = False


class CostRequest(Section):
    """Ask for the costs of several detectors."""

    units: tuple[CostUnit, ...]


class CostAnswer(Section):
    """Answer one unit: its cost, and in a sentence why something of it is not known."""

    key: str
    cost: DetectorCost | None = None
    problem: str = ""


def cost_value(cost: DetectorCost | None, name: str) -> float | None:
    """Return one of ``COSTS`` as a number; ``None`` where it is not known."""
    if cost is None:
        return None
    latency = cost.latency.median_ms if cost.latency else None
    found: dict[str, float | None] = {"parameters": cost.parameters, "macs": cost.macs, "latency_ms": latency}
    value = found[name]
    return None if value is None else float(value)


def architecture(detector: Detector) -> Detector:
    """Return a detector without the settings that change no layer: its weights, and which of them are kept."""
    return detector.model_copy(update={"weights": "random", "freeze": None})


def unit_of(key: str, detector: Detector, dataset: DatasetSpec, *, latency: bool = False) -> CostUnit:
    """Return the request for a detector's cost on a dataset, at the size of its evaluation."""
    width, height = dataset.test_size or dataset.image_size
    if dataset.pads_to_square:
        width = height = max(width, height)
    return CostUnit(
        key=key,
        detector=architecture(detector),
        classes=class_count(dataset),
        size=(width, height),
        max_detections=dataset.max_detections,
        latency=latency,
    )
