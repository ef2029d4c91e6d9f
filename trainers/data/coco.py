"""Read datasets in COCO's JSON format."""

from mmdet.registry import DATASETS

from trainers.data.annotated import AnnotatedData


@DATASETS.register_module(name="StillhouseCoco")
class CocoData(AnnotatedData):
    """Serve a split of a COCO dataset as mmdet's ``CocoDataset`` does.

    Unlike there, labels follow the study's classes, boxes whose area is missing or 0 have that of the box, and boxes
    marked ``ignore`` are treated as crowds instead of being dropped.
    """
