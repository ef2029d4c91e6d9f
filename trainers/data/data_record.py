"""Record the images and boxes that a trial trains and evaluates on."""

from dataclasses import asdict
from typing import Any

from trainers.errors import TrialError
from trainers.schema import DatasetSpec, ShapesDataset
from trainers.schema.annotations.problems import problems
from trainers.schema.annotations.usage import Usage


def data_record(train: Any, val: Any) -> dict[str, Any]:
    """Return the data part of a trial's record: the counts of both splits, as JSON."""
    return {found.split: _content(found) for found in (usage_of(train), usage_of(val))}


def usage_of(dataset: Any) -> Usage:
    """Return the counts of a dataset, below all its wrappers."""
    while not hasattr(dataset, "usage"):
        dataset = dataset.dataset
    found: Usage = dataset.usage
    return found


def require_learnable(spec: DatasetSpec, train: Any, val: Any) -> None:
    """Raise ``TrialError`` when a split, or a class of the study, has nothing to learn or to evaluate.

    ``plan`` says so before anything starts, but of annotations that are too large for it.
    """
    if isinstance(spec, ShapesDataset):
        return
    for found in (usage_of(train), usage_of(val)):
        for problem in problems(found, spec):
            if problem.level == "error":
                raise TrialError(f"dataset.{found.split}: {problem.message}")


def _content(found: Usage) -> dict[str, Any]:
    content = asdict(found)
    return {
        "boxes_used": found.boxes_used,
        **{key: content[key] for key in content if key not in ("split", "densest", "unreachable")},
    }
