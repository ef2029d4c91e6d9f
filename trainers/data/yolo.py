"""Read datasets in YOLO's text format."""

from mmdet.registry import DATASETS

from trainers.data.annotated import AnnotatedData


@DATASETS.register_module(name="StillhouseYolo")
class YoloData(AnnotatedData):
    """Serve a split of a YOLO dataset: boxes in pixels of the image as viewers show it, images numbered from 1."""
