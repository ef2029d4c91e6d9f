"""Build the datasets that a spec describes."""

from typing import Any

from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope

from trainers.data import coco as _coco  # noqa: F401  (registers the COCO dataset with mmdet)
from trainers.data import image_loading as _image_loading  # noqa: F401  (registers the step that reads images with mmdet)
from trainers.data import shapes as _shapes  # noqa: F401  (registers the shapes dataset with mmdet)
from trainers.data import voc as _voc  # noqa: F401  (registers the VOC dataset with mmdet)
from trainers.data import yolo as _yolo  # noqa: F401  (registers the YOLO dataset with mmdet)
from trainers.data.mosaic import MosaicData
from trainers.data.pipelines import Config, finishing, loading, mixing, test_pipeline, train_pipeline
from trainers.data.repeated import Repeated
from trainers.schema import DatasetSpec, ShapesDataset

READERS = {"coco": "StillhouseCoco", "voc": "StillhouseVoc", "yolo": "StillhouseYolo"}


def build_dataset(spec: DatasetSpec, split: str) -> Any:
    """Return the dataset of ``split`` (``train``, ``val`` or ``test``); training has ``repeat`` passes and mixtures of images.

    Raises ``TrialError`` when files are missing or damaged, lack a class of the study, or hold nothing to learn.
    """
    init_default_scope("mmdet")
    if split != "train":
        return _read_dataset(spec, split, test_pipeline(spec))
    if spec.augmentation == "mosaic":
        dataset: Any = MosaicData(_read_dataset(spec, split, loading(spec)), mixing(spec), finishing(spec))
    else:
        dataset = _read_dataset(spec, split, train_pipeline(spec))
    return Repeated(dataset, spec.repeat) if spec.repeat > 1 else dataset


def _read_dataset(spec: DatasetSpec, split: str, pipeline: list[Config]) -> Any:
    common: Config = {"pipeline": pipeline, "test_mode": split != "train", "serialize_data": True}
    if isinstance(spec, ShapesDataset):
        return DATASETS.build(_shapes_config(spec, split) | common)
    dataset = DATASETS.build({"type": READERS[spec.kind], "spec": spec, "split": split} | common)
    dataset.pipeline.transforms[0].settle(dataset)
    return dataset


def _shapes_config(spec: ShapesDataset, split: str) -> Config:
    return {
        "type": "StillhouseShapes",
        "split": split,
        "count": spec.train_images if split == "train" else spec.val_images,
        "size": spec.image_size,
        "max_objects": spec.max_objects,
        "seed": spec.seed,
        "metainfo": {"classes": spec.classes},
    }
