"""Name metrics as tables, figures and pages show them: one name for one metric, everywhere."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from orchestrator.study.selection import TITLES, is_fraction
from trainers.schema.record import SELECTION_METRIC
from trainers.schema.system_metrics import (
    CPU_USE,
    GPU_MEMORY,
    GPU_MEMORY_SHARE,
    GPU_USE,
    IMAGES_PER_S,
    LOADING_SHARE,
    MEMORY,
    MEMORY_SHARE,
)
from trainers.schema.system_metrics import PREFIX as SYSTEM


@dataclass(frozen=True)
class MetricName:
    """Hold a metric's title and, in a few words, its definition."""

    title: str
    meaning: str


COCO_MEANING = "COCO's AP (101-point, up to 100 detections an image)"
VOC_MEANING = "Pascal VOC 2007's AP (11-point)"
MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "coco/bbox_mAP": f"{COCO_MEANING}, mean over IoU 0.5 to 0.95",
        "coco/bbox_mAP_50": f"{COCO_MEANING} at IoU 0.5",
        "coco/bbox_mAP_75": f"{COCO_MEANING} at IoU 0.75",
        "coco/bbox_mAP_s": f"{COCO_MEANING} of small objects",
        "coco/bbox_mAP_m": f"{COCO_MEANING} of medium objects",
        "coco/bbox_mAP_l": f"{COCO_MEANING} of large objects",
        "voc/mAP": f"{VOC_MEANING}, mean over IoU 0.5 to 0.95",
        "voc/AP50": f"{VOC_MEANING} at IoU 0.5",
        "voc/AP75": f"{VOC_MEANING} at IoU 0.75",
    }
)
METRIC_NAMES: Mapping[str, MetricName] = MappingProxyType(
    {key: MetricName(title, MEANINGS[key]) for key, title in TITLES.items()}
)
# Of other metrics the first part names the quantity, the rest the loss, the term or the class that it is of.
QUANTITIES: Mapping[str, MetricName] = MappingProxyType(
    {
        "loss/": MetricName("Loss", "weighted, mean over the steps of an epoch"),
        "ratio/": MetricName("Ratio to the detector's losses", "the weighted term as a multiple of their sum"),
        "grad_share/": MetricName("Share of the gradient", "of its norm at the pyramid, on an epoch's first batch"),
        "weight/": MetricName("Weight", "at an epoch's last step, of terms whose weight changes in training"),
        "focus/": MetricName("Focus", "smallest fraction of anchors that carries nine tenths of a term's weight"),
    }
)
OTHER_NAMES: Mapping[str, MetricName] = MappingProxyType(
    {
        "loss/total": MetricName("Total loss", "the detector's losses and the weighted terms"),
        "time/train_s": MetricName("Training time, s", "of an epoch"),
        "time/load_s": MetricName("Loading time, s", "of an epoch: the time that training waited for images"),
        "time/evaluate_s": MetricName("Evaluation time, s", "of an epoch"),
        "time/hours": MetricName("Hours so far", "of training and evaluation"),
        "time/device_hours": MetricName("Device-hours so far", "hours of training and evaluation times devices"),
        "lr": MetricName("Learning rate", "at an epoch's last step"),
        "workers": MetricName("Workers", "mean of an epoch"),
    }
)
SYSTEM_NAMES: Mapping[str, MetricName] = MappingProxyType(
    {
        CPU_USE: MetricName("CPU use, %", "of the trial's machines, mean over an epoch's training"),
        MEMORY: MetricName("Memory, MB", "in use on the trial's machines, mean of samples in an epoch's training"),
        MEMORY_SHARE: MetricName("Memory, %", "in use on the trial's machines, mean of samples in an epoch's training"),
        IMAGES_PER_S: MetricName("Images a second", "that all workers train together, evaluation left out"),
        LOADING_SHARE: MetricName("Waiting for images, %", "share of an epoch's training time"),
    }
)
GPU_NAMES: Mapping[str, str] = MappingProxyType(
    {GPU_USE: "use, %", GPU_MEMORY: "memory, MB", GPU_MEMORY_SHARE: "memory, %"}
)
GPU = re.compile(rf"{SYSTEM}gpu_(\d+)_(\w+)")
COCO_COLUMNS = {name.title: key for key, name in METRIC_NAMES.items() if key.startswith("coco/")}
VOC_COLUMNS = {name.title: key for key, name in METRIC_NAMES.items() if key.startswith("voc/")}
AP = METRIC_NAMES[SELECTION_METRIC].title
PRINTED_ON_COCO = COCO_COLUMNS
PRINTED_ON_VOC = {title.removeprefix("VOC "): key for title, key in VOC_COLUMNS.items()}


def title_of(metric: str) -> str:
    """Return a metric's title; one without a title of its own goes by its key."""
    name = name_of(metric)
    return name.title if name else metric


def written(metric: str) -> str:
    """Return a metric as ``search.metric`` may be written: its title if it is an average precision, else its key."""
    return TITLES.get(metric, metric)


def name_of(metric: str) -> MetricName | None:
    """Return a metric's title and meaning in words, ``None`` for one that only its key names."""
    known = METRIC_NAMES.get(metric) or OTHER_NAMES.get(metric) or SYSTEM_NAMES.get(metric) or _of_gpu(metric)
    if known is not None:
        return known
    part = next((part for part in QUANTITIES if metric.startswith(part) and len(metric) > len(part)), None)
    if part is None:
        return None
    return MetricName(f"{QUANTITIES[part].title}: {metric.removeprefix(part)}", QUANTITIES[part].meaning)


def _of_gpu(metric: str) -> MetricName | None:
    found = GPU.fullmatch(metric)
    quantity = GPU_NAMES.get(found[2]) if found else None
    return (
        MetricName(f"GPU {found[1]} {quantity}", "mean of samples in an epoch's training")
        if found and quantity
        else None
    )


def shown_scale(metric: str) -> float:
    """Return by which factor a metric is shown: average precisions in percent, losses as they are."""
    return 100.0 if is_fraction(metric) else 1.0


def decimals(metric: str) -> int:
    """Return with how many decimals a metric is shown: percent with one, a loss with four."""
    return 1 if is_fraction(metric) else 4


def value_text(metric: str, value: float, sign: str = "") -> str:
    """Return a value as people read it; with ``sign`` "+" every number has one."""
    return f"{shown_scale(metric) * value:{sign}.{decimals(metric)}f}"


def columns_for(measured: Iterable[str], selected: Iterable[str] = ()) -> dict[str, str]:
    """Return the metrics of a table by title: COCO's always, each of VOC's that is ``measured``, and the ``selected``."""
    present = set(measured)
    voc = {title: key for title, key in VOC_COLUMNS.items() if key in present}
    return COCO_COLUMNS | voc | {title_of(key): key for key in selected}


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
