"""Word the data and the training of a student for its model card, without folders of the machine."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from orchestrator.core.redact import redacted
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.schema import CheckpointTeacher, TeacherSection, ZooTeacher
from orchestrator.study.wording import counted
from trainers.schema import Detector, ShapesDataset, TrialSpec
from trainers.schema.detector import CheckpointWeights, ZooWeights
from trainers.schema.foreign_json import parse_json
from trainers.schema.record import COUNTS
from trainers.schema.zoo import OWN, PREFIX

UNKNOWN = "not recorded"
Named = tuple[str, str]
STARTS = ("/", "~/", "./", "../")
# A path of two or more names that begins at a root, at home, or at this folder; addresses and names of configs are none.
FOLDERS = re.compile(r"(?<![\w:/.~])(?:~|\.{1,2})?/(?:[^\s/,'\"\]})=]+/)*([^\s/,'\"\]})=]+)")
NOT_SAID = {"kind", "root", "train", "val", "test", "classes", "images_digest"}  # of the data: said elsewhere, or paths


def without_folders(text: str) -> str:
    """Return a text, or ``key=text``, in which paths are cut to their last names and secrets are hidden."""
    key, equals, value = text.rpartition("=")
    if value.startswith(STARTS):  # as a whole, for its folders may have spaces
        return redacted(f"{key}{equals}{Path(value).name}")
    return FOLDERS.sub(r"\1", redacted(text))


def data_lines(trial: PlannedTrial, digests: Sequence[str]) -> Iterator[Named]:
    """Yield the known facts about the data: kind and name, counts of the splits, digest, and how images are seen."""
    data = trial.spec.dataset
    if isinstance(data, ShapesDataset):
        yield "data set", "drawn shapes, which are no files"
    else:
        yield "data set", f"{Path(data.root).name} ({data.kind})"
    yield from _counts(trial)
    yield "annotations (digest)", ", ".join(digests) or UNKNOWN
    yield "images", _said(data, NOT_SAID)
    if not isinstance(data, ShapesDataset) and data.exif == "auto":
        yield "orientation", "images are turned as EXIF says, but where the annotations' sizes show stored pixels"


def _counts(trial: PlannedTrial) -> Iterator[Named]:
    try:
        yield from split_counts(parse_json((trial.directory / COUNTS).read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError):
        if not isinstance(trial.spec.dataset, ShapesDataset):
            yield "counts", UNKNOWN


def split_counts(content: Mapping[str, Any]) -> Iterator[Named]:
    """Yield images and boxes of the training and the validation split from a trial's counts.

    Raises ``LookupError`` or ``TypeError`` where it has not.
    """
    for split, name in (("train", "training"), ("val", "validation")):
        found = content[split]
        classes = ", ".join(f"{count} {label}" for label, count in found["by_class"].items())
        yield (
            name,
            f"{counted(found['images_used'], 'image')}, {counted(found['boxes_used'], 'box', 'boxes')}: {classes}",
        )


def training_lines(spec: TrialSpec, teacher: TeacherSection | None, digest: str | None) -> Iterator[Named]:
    """Yield detector, start, teacher, method and schedule; ``digest`` is that of the teacher's checkpoint."""
    yield "detector", detector_words(spec.student)
    yield "starts from", start_words(spec)
    if spec.teacher is not None:
        yield "teacher", teacher_words(spec.teacher.detector, teacher, digest)
    yield "method", _said(spec.method, set(), everything=True)
    yield "schedule", _said(spec.schedule, set(), everything=True)
    yield "seed", str(spec.seed)


def detector_words(detector: Detector) -> str:
    """Return a detector's config and its changed settings."""
    size = detector.model_dump(mode="json", include={"backbone_depth", "width", "depth"}, exclude_defaults=True)
    return ", ".join([_config(detector.config), *(f"{key} {value}" for key, value in size.items())])


def _config(name: str) -> str:
    return name if name.startswith((PREFIX, OWN)) else Path(name).name


def start_words(spec: TrialSpec) -> str:
    """Return the weights that a training starts from."""
    if isinstance(spec.student.weights, ZooWeights):
        return f"{spec.student.weights.name} of mmdet's model zoo"
    if isinstance(spec.student.weights, CheckpointWeights):
        return f"the detector in {Path(spec.student.weights.path).name}"
    if spec.student.weights == "imagenet":
        return "a backbone trained on ImageNet, as the config names it"
    return "random weights"


def teacher_words(detector: Detector, section: TeacherSection | None, digest: str | None) -> str:
    """Return a teacher's detector, its origin and the digest of its checkpoint where that is known."""
    parts = [detector_words(detector)]
    if isinstance(section, ZooTeacher):
        parts.append(f"{section.name} of mmdet's model zoo")
    elif isinstance(section, CheckpointTeacher):
        parts.append(f"the detector in {Path(section.path).name}")
    elif section is not None:
        parts.append("trained on the same data" if section.kind == "train" else "random weights")
    return ", ".join([*parts, *([f"SHA-256 {digest}"] if digest else [])])


def _said(section: BaseModel, left_out: set[str], *, everything: bool = False) -> str:
    """Return a section's settings as ``key: value``; those at their defaults only where ``everything`` is asked for."""
    found = section.model_dump(mode="json", exclude_defaults=not everything, by_alias=True)
    kind = [str(found.pop("kind"))] if "kind" in found and "kind" not in left_out else []
    said = [f"{key}: {_value(value)}" for key, value in found.items() if key not in left_out and value is not None]
    return redacted("; ".join([*kind, *said])) or "as they are"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in value.items() if item is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else without_folders(str(value))
