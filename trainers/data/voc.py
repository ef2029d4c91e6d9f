"""Read datasets in Pascal VOC's XML format."""

from mmdet.registry import DATASETS

from trainers.data.annotated import AnnotatedData


@DATASETS.register_module(name="StillhouseVoc")
class VocData(AnnotatedData):
    """Serve the parts of a VOC split one after the other, as mmdet's ``VOCDataset`` reads each.

    Coordinates are cut to whole pixels and counted from 0. Difficult objects are marked to be ignored. Left out are
    objects of other classes and those without any area inside the image. Unlike mmdet, images are numbered from 1, and
    need not be JPEG files.
    """
