"""Check a split's image files, several at once."""

import os
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain

from orchestrator.dataset_check.findings import Findings
from orchestrator.dataset_check.image_file import MISSING, Look, look_at, other_size
from orchestrator.dataset_check.split import CheckedImage, Split
from orchestrator.dataset_check.turns import turned_by_exif
from trainers.schema.annotations.wording import images as counted_images
from trainers.schema.image_pixels import settled
from trainers.schema.image_rule import FULL_DEPTH, ImageError, PixelRule

Advance = Callable[[], None]
Digests = dict[Hashable, str]
AT_ONCE = 16  # images that a thread takes: to hand over one takes as long as to look at it
TRANSPARENT = "transparent pixels: training sees the colours that are stored beneath"


def check_images(split: Split, rule: PixelRule, findings: Findings, *, decode: bool, advance: Advance) -> Digests:
    """Note images that are missing, damaged or of another size than annotated; return digests if they were decoded.

    ``advance`` is called after each image.
    """
    rule = _settled(split, rule, findings)
    digests: Digests = {}
    looks: list[Look] = []
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        some = partial(_looks, rule, decode)
        found = chain.from_iterable(pool.map(some, _shares(list(split.images.values()))))
        for (key, image), look in zip(split.images.items(), found, strict=True):
            _note(image, look, rule, findings)
            looks.append(look)
            if look.digest is not None:
                digests[key] = look.digest
            advance()
    _note_once(split, looks, findings)
    return digests


def _shares(images: list[CheckedImage]) -> list[list[CheckedImage]]:
    return [images[first : first + AT_ONCE] for first in range(0, len(images), AT_ONCE)]


def _looks(rule: PixelRule, decode: bool, images: list[CheckedImage]) -> list[Look]:
    return [look_at(image.file, rule, image.size, decode=decode) for image in images]


def _settled(split: Split, rule: PixelRule, findings: Findings) -> PixelRule:
    try:
        return settled(rule, (image.file for image in split.images.values()))
    except ImageError as error:
        findings.error("16-bit images of unknown depth", f"dataset.{split.name}", str(error))
        return replace(rule, bit_depth=FULL_DEPTH)


def _note(image: CheckedImage, look: Look, rule: PixelRule, findings: Findings) -> None:
    if look.problem is not None and look.problem != MISSING:
        findings.error("damaged images", image.where, f"{image.file} {look.problem}")
    elif look.suspicion is not None:
        findings.warning("suspicious images", image.where, f"{image.file} {look.suspicion}")
    if (message := other_size(image.file, image.size, look, rule)) is not None:
        findings.error("images of another size", image.where, message)


def _note_once(split: Split, looks: list[Look], findings: Findings) -> None:
    """Add one finding for a cause that all images of a split share."""
    missing = [image for image, look in zip(split.images.values(), looks, strict=True) if look.problem == MISSING]
    if missing and not split.told_missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        findings.error("missing images", missing[0].where, f"{missing[0].file} {MISSING}{more}")
    files = [image.file for image in split.images.values()]
    turned = [file for file, look in zip(files, looks, strict=True) if look.turn_unknown]
    clear = [file for file, look in zip(files, looks, strict=True) if look.transparent]
    where = f"dataset.{split.name}"
    if turned:
        findings.warning("images turned by EXIF", where, turned_by_exif(turned))
    if clear:
        findings.warning(
            "transparent images", where, f"{counted_images(len(clear))} with {TRANSPARENT} (the first is {clear[0]})"
        )
