"""Name metrics as tables, figures and pages show them: one name for one metric, everywhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from trainers.schema.record import FAMILIES, SELECTION_METRIC


@dataclass(frozen=True)
class MetricName:
    """Hold a metric's title and, in a few words, its definition."""

    title: str
    meaning: str


COCO_MEANING = "COCO's AP (101-point, up to 100 detections an image)"
VOC_MEANING = "Pascal VOC 2007's AP (11-point)"
METRIC_NAMES: Mapping[str, MetricName] = MappingProxyType(
    {
        "coco/bbox_mAP": MetricName("AP", f"{COCO_MEANING}, mean over IoU 0.5 to 0.95"),
        "coco/bbox_mAP_50": MetricName("AP50", f"{COCO_MEANING} at IoU 0.5"),
        "coco/bbox_mAP_75": MetricName("AP75", f"{COCO_MEANING} at IoU 0.75"),
        "coco/bbox_mAP_s": MetricName("APs", f"{COCO_MEANING} of small objects"),
        "coco/bbox_mAP_m": MetricName("APm", f"{COCO_MEANING} of medium objects"),
        "coco/bbox_mAP_l": MetricName("APl", f"{COCO_MEANING} of large objects"),
        "voc/mAP": MetricName("VOC AP", f"{VOC_MEANING}, mean over IoU 0.5 to 0.95"),
        "voc/AP50": MetricName("VOC AP50", f"{VOC_MEANING} at IoU 0.5"),
        "voc/AP75": MetricName("VOC AP75", f"{VOC_MEANING} at IoU 0.75"),
    }
)
COCO_COLUMNS = {name.title: key for key, name in METRIC_NAMES.items() if key.startswith("coco/")}
VOC_COLUMNS = {name.title: key for key, name in METRIC_NAMES.items() if key.startswith("voc/")}
AP = METRIC_NAMES[SELECTION_METRIC].title
PRINTED_ON_COCO = COCO_COLUMNS
PRINTED_ON_VOC = {title.removeprefix("VOC "): key for title, key in VOC_COLUMNS.items()}


def title_of(metric: str) -> str:
    """Return a metric's title; one without a title of its own goes by its key."""
    return METRIC_NAMES[metric].title if metric in METRIC_NAMES else metric


def is_fraction(metric: str) -> bool:
    """Return whether a metric is an average precision, stored as a fraction and shown in percent."""
    return metric.startswith(FAMILIES)


def columns_for(measured: Iterable[str]) -> dict[str, str]:
    """Return the metrics of a table by title: COCO's always, and each of VOC's that is among the ``measured`` ones."""
    present = set(measured)
    return COCO_COLUMNS | {title: key for title, key in VOC_COLUMNS.items() if key in present}


def printed_beside(metric: str, dataset_kind: str) -> tuple[str, str] | None:
    """Return a paper's column title for ``metric``, and the metric that the paper prints there."""
    title = title_of(metric).removeprefix("VOC ")
    printed = printed_metrics(dataset_kind)
    return (title, printed[title]) if title in printed else None


def printed_metrics(dataset_kind: str) -> dict[str, str]:
    """Return which measured metric a paper's table prints under each title.

    Tables on Pascal VOC print VOC's own AP under the bare titles; everywhere else in Stillhouse a bare ``AP50`` is COCO's.
    """
    return dict(PRINTED_ON_VOC if dataset_kind == "voc" else PRINTED_ON_COCO)
