"""Report image-file problems in a plan; reads only the headers, and few pixels, of the first files."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from orchestrator.core.findings import Finding
from orchestrator.dataset_check.file_states import states
from orchestrator.dataset_check.image_file import look_at, other_size
from orchestrator.dataset_check.readings import FirstImage, SplitReading, reading
from orchestrator.dataset_check.turns import turned_by_exif
from trainers.schema.annotations import FileDataset, SplitName
from trainers.schema.image_header import Header, read_header
from trainers.schema.image_pixels import settled
from trainers.schema.image_rule import FULL_DEPTH, ImageError, PixelRule

LONGEST_S = 1.0  # for the sizes of all files; a slower file system is left alone

Headers = list[tuple[FirstImage, Header]]


def image_findings(dataset: FileDataset, split: SplitName, where: str) -> Iterator[Finding]:
    """Yield problems of a split's image files, and settings that the user must decide for them.

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
    empty = _empty(found)
    if empty:
        verb = "is" if len(empty) == 1 else "are"
        message = f"{len(empty)} of {len(found.used)} image files {verb} empty, the first {empty[0]}"
        yield Finding("error", where, message)
    if str(found.first[0].file) not in empty:
        yield from _unreadable(found.first[0], rule, where)
    yield from _of_headers(list(_headers(found.first)), f"of the first {len(found.first)}", rule, where)


def _empty(found: SplitReading) -> list[str]:
    """Return the files that hold nothing, as far as the file system tells in a moment."""
    try:
        sizes = states(found.used, time.time() + LONGEST_S)
    except TimeoutError:
        return []
    return [path for path, (size, _) in zip(found.used, sizes, strict=True) if size == 0]


def _unreadable(image: FirstImage, rule: PixelRule, where: str) -> Iterator[Finding]:
    look = look_at(image.file, rule, image.size, decode=False)
    if look.suspicion is not None:
        look = look_at(image.file, rule, image.size, decode=True)
    if look.problem is not None and image.file.exists():
        yield Finding("error", where, f"{image.file} {look.problem}")


def _headers(images: Sequence[FirstImage]) -> Iterator[tuple[FirstImage, Header]]:
    for image in images:
        try:
            yield image, read_header(image.file)
        except (OSError, ImageError):
            continue


def _of_headers(headers: Headers, among: str, rule: PixelRule, where: str) -> Iterator[Finding]:
    turned = [image.file for image, header in headers if header.leaves_open(rule, image.size)]
    if turned:
        yield Finding("warning", where, turned_by_exif(turned, among))
    sizes = [other_size(image.file, image.size, header.sizes(rule)) for image, header in headers]
    others = [message for message in sizes if message is not None]
    if others:
        verb = "is" if len(others) == 1 else "are"
        count = f"{len(others)} {among} images {verb} of another size than annotated, so that boxes lie elsewhere"
        yield Finding("warning", where, f"{count}: {others[0]}")
