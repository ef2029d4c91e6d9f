"""Check a split's image files, several at once."""

import os
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from orchestrator.data_check.image_file import Look, look_at
from orchestrator.data_check.ledger import Ledger
from orchestrator.data_check.split import Image, Split

Advance = Callable[[], None]
Digests = dict[Hashable, str]


def check_images(split: Split, ledger: Ledger, *, decode: bool, advance: Advance) -> Digests:
    """Note images that are missing, damaged or of another size than annotated; return digests if they were decoded.

    ``advance`` is called after each image.
    """
    digests: Digests = {}
    with ThreadPoolExecutor(min(32, 4 * (os.cpu_count() or 1))) as pool:
        looks = pool.map(lambda image: _look(image.file, decode=decode), split.images.values())
        for (key, image), look in zip(split.images.items(), looks, strict=True):
            _note(image, look, ledger)
            if look.digest is not None:
                digests[key] = look.digest
            advance()
    return digests


def _look(path: Path, *, decode: bool) -> Look:
    return look_at(path, decode=decode)


def _note(image: Image, look: Look, ledger: Ledger) -> None:
    if look.problem is not None:
        kind = "missing images" if look.problem == "does not exist" else "damaged images"
        ledger.error(kind, image.where, f"{image.file} {look.problem}")
    elif look.suspicion is not None:
        ledger.warning("suspicious images", image.where, f"{image.file} {look.suspicion}; --decode tells")
    if look.size is not None and image.size is not None and look.size != image.size:
        given, found = (f"{size[0]:g} x {size[1]:g}" for size in (image.size, look.size))
        ledger.error("images of another size", image.where, f"{image.file} has {found} pixels, annotated are {given}")
