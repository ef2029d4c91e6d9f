"""Say that only the user can know whether EXIF turns the boxes of images, too."""

from collections.abc import Sequence
from pathlib import Path


def turned_by_exif(files: Sequence[Path], among: str = "images") -> str:
    """Return the warning about such files."""
    return (
        f"{len(files)} {among} are turned by EXIF, and sizes do not tell whether the boxes are turned too: they are taken to "
        f"belong to the image as viewers show it; set dataset.exif to apply if that is right, to ignore if they belong to "
        f"the stored pixels (the first is {files[0]})"
    )
