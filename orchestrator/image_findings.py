"""Say in a plan what the first image files of a split are worth: it reads headers, and few pixels."""

from collections.abc import Iterator
from dataclasses import replace

from orchestrator.data_check.image_file import look_at
from orchestrator.data_check.turns import turned_by_exif
from orchestrator.findings import Finding
from orchestrator.readings import FirstImage, reading
from trainers.spec.annotations import FileDataset, SplitName
from trainers.spec.image_header import read_header
from trainers.spec.image_pixels import settled
from trainers.spec.image_rule import FULL_DEPTH, ImageError, PixelRule


def image_findings(dataset: FileDataset, split: SplitName, where: str) -> Iterator[Finding]:
    """Yield what is wrong with the first image of a split, and what the first images leave for the user to say.

    Nothing is said of images that do not exist, nor of annotations that are too large for a plan.
    """
    found = reading(dataset, split)
    if found is None or not found.first:
        return
    rule = dataset.pixel_rule
    try:
        rule = settled(rule, (image.file for image in found.first))
    except ImageError as error:
        yield Finding("error", where, str(error))
        rule = replace(rule, bit_depth=FULL_DEPTH)
    first = found.first[0]
    look = look_at(first.file, rule, first.size, decode=False)
    if look.suspicion is not None:
        look = look_at(first.file, rule, first.size, decode=True)
    if look.problem is not None and first.file.exists():
        yield Finding("error", where, f"{first.file} {look.problem}")
    turned = [image.file for image in found.first if _is_left_open(image, rule)]
    if turned:
        yield Finding("warning", where, turned_by_exif(turned, f"of the first {len(found.first)} images"))


def _is_left_open(image: FirstImage, rule: PixelRule) -> bool:
    try:
        return read_header(image.file).leaves_open(rule, image.size)
    except (OSError, ImageError):
        return False
