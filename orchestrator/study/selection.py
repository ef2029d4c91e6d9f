"""Decide which of two results is better: by the study's metric, an average precision upwards and a loss downwards.

This is the only place that knows a metric's direction. A trial is judged by the metric at its best epoch, the one whose
weights it hands out. That epoch is the one with the highest AP whatever the study selects by, because training keeps the
weights of that epoch and knows nothing of studies.
"""

from collections.abc import Mapping
from types import MappingProxyType

from trainers.schema.class_metrics import PREFIX as CLASS_AP
from trainers.schema.class_metrics import class_metric
from trainers.schema.dataset import DatasetSpec, class_names
from trainers.schema.record import FAMILIES, Record, best_record

LOSSES = "loss/"
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "coco/bbox_mAP": "AP",
        "coco/bbox_mAP_50": "AP50",
        "coco/bbox_mAP_75": "AP75",
        "coco/bbox_mAP_s": "APs",
        "coco/bbox_mAP_m": "APm",
        "coco/bbox_mAP_l": "APl",
        "voc/mAP": "VOC AP",
        "voc/AP50": "VOC AP50",
        "voc/AP75": "VOC AP75",
    }
)
KEYS: Mapping[str, str] = MappingProxyType({title: key for key, title in TITLES.items()})


def key_of(name: str) -> str:
    """Return the metric that a title such as ``AP50`` stands for; any other name is the metric itself."""
    return KEYS.get(name, name)


def falls(metric: str) -> bool:
    """Return whether less of a metric is better."""
    return metric.startswith(LOSSES)


def merit(metric: str, value: float) -> float:
    """Return a number that is higher for a better value: an average precision itself, a loss with the other sign."""
    return -value if falls(metric) else value


def is_fraction(metric: str) -> bool:
    """Return whether a metric is an average precision, stored as a fraction and shown in percent."""
    return metric.startswith((*FAMILIES, CLASS_AP))


def value_of(history: list[Record], metric: str) -> float | None:
    """Return a trial's value: the metric at its best epoch, ``None`` where that was not evaluated or has no such metric."""
    best = best_record(history)
    return best.metrics.get(metric) if best else None


def selectable(dataset: DatasetSpec) -> list[str]:
    """Return the average precisions that trials on a dataset record: COCO's, of Pascal VOC also its own, each class's.

    Losses depend on detectors and terms, so they are not known beforehand.
    """
    families = FAMILIES if dataset.kind == "voc" else ("coco/",)
    return [*(key for key in TITLES if key.startswith(families)), *map(class_metric, class_names(dataset))]
