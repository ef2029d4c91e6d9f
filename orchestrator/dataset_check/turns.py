"""Report images for which only the user knows whether EXIF also turns the boxes."""

from collections.abc import Sequence
from pathlib import Path

from trainers.schema.annotations.wording import images


def turned_by_exif(files: Sequence[Path], among: str = "") -> str:
    """Return the warning about such files, which are ``among`` others: ``of the first 200``."""
    one = len(files) == 1
    who = f"{len(files)} {among} images" if among else images(len(files))
    return (
        f"{who} {'is' if one else 'are'} turned by EXIF, and sizes do not tell whether the boxes are turned too: they are taken to "
        f"belong to the image as viewers show it; set dataset.exif to apply if that is right, to ignore if they belong to "
        f"the stored pixels (the first is {files[0]})"
    )
