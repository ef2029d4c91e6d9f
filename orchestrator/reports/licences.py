"""State the licences that are known of the parts behind a student, and name those that only the user knows."""

from collections.abc import Iterator

from orchestrator.reports.card_settings import Named
from orchestrator.study.schema import TeacherSection
from trainers.schema import TrialSpec
from trainers.schema.detector import CheckpointWeights, ZooWeights

FILL_IN = "fill in"


def licence_lines(spec: TrialSpec, teacher: TeacherSection | None) -> Iterator[Named]:
    """Yield each part of the student with its licence, as far as it is known."""
    yield "these weights", FILL_IN
    yield "the data that it was trained on", FILL_IN
    yield "mmdet, mmengine and mmcv, which run it", "Apache 2.0"
    if _zoo(spec, teacher):
        yield "mmdet's model zoo", "Apache 2.0, as mmdet's repository; see the config for the data of each checkpoint"
    if any("coco" in name for name in _zoo(spec, teacher)):
        yield "MS COCO", "annotations: CC BY 4.0; images: the terms of Flickr, each its photographer's"
    if spec.student.weights == "imagenet":
        yield "the backbone's first weights", "public ones, trained on ImageNet, whose images are for research only"
    if isinstance(spec.student.weights, CheckpointWeights) or _is_foreign(spec, teacher):
        yield "detectors that it starts or learns from", FILL_IN


def _zoo(spec: TrialSpec, teacher: TeacherSection | None) -> list[str]:
    """Return the names of the public checkpoints that the student starts or learns from."""
    weights = [spec.student.weights, *([teacher] if spec.teacher is not None else [])]
    return [item.name for item in weights if isinstance(item, ZooWeights)]


def _is_foreign(spec: TrialSpec, teacher: TeacherSection | None) -> bool:
    return spec.teacher is not None and isinstance(teacher, CheckpointWeights)
