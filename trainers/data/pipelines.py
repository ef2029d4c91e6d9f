"""Build mmdet pipelines from an image file to the detector's input."""

from typing import Any

from trainers.schema import DatasetSpec, ShapesDataset
from trainers.schema.image_pipeline import RangeScales

Config = dict[str, Any]
META_KEYS = ("img_id", "img_path", "ori_shape", "img_shape", "scale_factor", "flip", "flip_direction")
GREY = 114.0  # of 255; what YOLOX fills empty places with
MIXUP_RATIO = (0.8, 1.6)  # YOLOX: scale of the image that MixUp adds
SMALLEST_BOX = (1, 1)  # pixels; Mosaic's leftovers below that are dropped


def train_pipeline(spec: DatasetSpec) -> list[Config]:
    """Return mmdet's pipeline config for training images."""
    if spec.augmentation == "mosaic":
        return [*loading(spec), *mixing(spec), *finishing(spec)]
    pack = {"type": "PackDetInputs", "meta_keys": META_KEYS}
    return [*loading(spec), _training_resize(spec), {"type": "RandomFlip", "prob": spec.flip}, *_padding(spec), pack]


def test_pipeline(spec: DatasetSpec, load_step: Config | None = None) -> list[Config]:
    """Return mmdet's pipeline config for evaluation; ``load_step`` replaces how the image is read."""
    return [
        load_step or _load_step(spec),
        _resize(spec.test_size or spec.image_size, spec.keep_ratio),
        *_padding(spec),
        {"type": "PackDetInputs", "meta_keys": META_KEYS[:5]},
    ]


def loading(spec: DatasetSpec) -> list[Config]:
    """Return the steps that read an image and its boxes."""
    return [_load_step(spec), {"type": "LoadAnnotations", "with_bbox": True}]


def mixing(spec: DatasetSpec) -> list[Config]:
    """Return YOLOX's steps that take several images and are left out in the closing epochs."""
    width, height = spec.image_size
    affine: Config = {
        "type": "RandomAffine",
        "scaling_ratio_range": spec.mosaic.affine_scale,
        "border": (-(width // 2), -(height // 2)),  # Mosaic's canvas has twice the sides
    }
    mixup: Config = {"type": "MixUp", "img_scale": (width, height), "ratio_range": MIXUP_RATIO, "pad_val": GREY}
    steps = [{"type": "Mosaic", "img_scale": (width, height), "pad_val": GREY}, affine]
    return [*steps, mixup] if spec.mosaic.mixup else steps


def finishing(spec: DatasetSpec) -> list[Config]:
    """Return YOLOX's steps after the mixing; alone they are the pipeline of the closing epochs."""
    return [
        {"type": "YOLOXHSVRandomAug"},
        {"type": "RandomFlip", "prob": spec.flip},
        _resize(spec.image_size, spec.keep_ratio),
        *_padding(spec),
        # mmdet's flag means the opposite of its name: with False, images that lose all boxes stay
        {"type": "FilterAnnotations", "min_gt_bbox_wh": SMALLEST_BOX, "keep_empty": False},
        {"type": "PackDetInputs", "meta_keys": META_KEYS},
    ]


def _load_step(spec: DatasetSpec) -> Config:
    if isinstance(spec, ShapesDataset):
        return {"type": "StillhouseDrawShapes"}
    return {"type": "StillhouseLoadImage", "exif": spec.exif, "bit_depth": spec.bit_depth}


def _resize(size: tuple[int, int], keep_ratio: bool) -> Config:
    return {"type": "Resize", "scale": tuple(size), "keep_ratio": keep_ratio}


def _training_resize(spec: DatasetSpec) -> Config:
    scales = spec.multi_scale
    if scales is None:
        return _resize(spec.image_size, spec.keep_ratio)
    sizes = [(max(spec.image_size), short) for short in scales.short]
    if isinstance(scales, RangeScales):
        return {"type": "RandomResize", "scale": sizes, "keep_ratio": True}
    return {"type": "RandomChoiceResize", "scales": sizes, "keep_ratio": True}


def _padding(spec: DatasetSpec) -> list[Config]:
    if not spec.pads_to_square:
        return []
    return [{"type": "Pad", "pad_to_square": True, "pad_val": {"img": (GREY,) * 3}}]
