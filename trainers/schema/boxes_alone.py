"""Decide whether a model of mmdet trains from boxes alone, which is all that a study's dataset has. Imports nothing heavy."""

from collections.abc import Iterator, Mapping
from typing import Any

MASKS = "masks of the objects"
VIDEOS = "tracks of objects through videos"
TEACHER = "the trained teacher that its config names"
# What a model needs beside images with boxes, by the key of its config that says so.
BY_KEY = {
    "language_model": "texts",
    "teacher_config": TEACHER,
    "teacher_ckpt": TEACHER,
    "semi_train_cfg": "images without boxes beside those with",
    "tracker": VIDEOS,
    "reid": VIDEOS,
    "mask_head": MASKS,
    "semantic_head": MASKS,
    "panoptic_head": MASKS,
    "panoptic_fusion_head": MASKS,
    "loss_mask": MASKS,
}
BY_PREPROCESSOR = {"TrackDataPreprocessor": VIDEOS, "ReIDDataPreprocessor": "identities of the objects"}
FROM_BOXES = ("BoxInst",)  # learn masks from boxes
FOREIGN = "Detectron2Wrapper"
HEADS = ("bbox_head", "roi_head", "rpn_head")


def beyond_boxes(model: Mapping[str, Any]) -> str | None:
    """Return the annotations that a model of this config needs beside boxes, ``None`` when it needs no others."""
    if type_name(model) in FROM_BOXES:
        return None
    preprocessor = type_name(part(model, "data_preprocessor"))
    found = [BY_PREPROCESSOR.get(preprocessor or ""), *_by_keys(model)]
    if "roi_head" in model and "rpn_head" not in model:
        found.append("the boxes that another detector proposes")
    return next(filter(None, found), None)


def untrainable(model: Mapping[str, Any]) -> str | None:
    """Return why a detector of this config cannot be trained here, as the end of a sentence; ``None`` when it can."""
    needed = beyond_boxes(model)
    if needed is not None:
        return f"it needs {needed}, not boxes alone"
    if type_name(model) == FOREIGN:
        return "it wraps a detector of Detectron2, and is none of mmdet's"
    if not any(head in model for head in HEADS):
        return "it has no head that finds boxes (bbox_head, roi_head or rpn_head)"
    return None


def type_name(section: Mapping[str, Any]) -> str | None:
    """Return ``type`` as a name: configs in the new style give the class itself."""
    kind = section.get("type")
    return kind if kind is None or isinstance(kind, str) else str(kind.__name__)


def part(model: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return one part of a model; of a sequence (necks, cascaded heads) the last, which makes the output."""
    found = model.get(key)
    if isinstance(found, list | tuple):
        found = found[-1] if found else None
    return found if isinstance(found, Mapping) else {}


def _by_keys(model: Mapping[str, Any]) -> Iterator[str]:
    for section in (model, *(part(model, head) for head in HEADS)):
        yield from (needed for key, needed in BY_KEY.items() if section.get(key) is not None)
