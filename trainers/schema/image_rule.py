"""Hold facts about image files that only the user knows."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from trainers.schema.image_pipeline import ImagePipeline

Exif = Literal["auto", "apply", "ignore"]
BitDepth = Annotated[int, Field(ge=8, le=16)]
Size = tuple[float | None, float | None]  # width, height
FULL_DEPTH = 16  # bits


class ImageError(ValueError):
    """Report an image that cannot be used; the message is a phrase that follows the file's name."""


@dataclass(frozen=True)
class PixelRule:
    """Hold whether boxes belong to images as their EXIF orientation turns them, and the depth of 16-bit images.

    ``exif`` ``auto`` asks the sizes in the annotations. ``bit_depth`` is how many bits the values of 16-bit images use.
    """

    exif: Exif = "auto"
    bit_depth: int | None = None


class ImageFiles(ImagePipeline):
    """Hold how image files become pixels, for datasets that are made of files."""

    exif: Exif = "auto"
    bit_depth: BitDepth | None = None

    @property
    def pixel_rule(self) -> PixelRule:
        """Return the settings for those who read images."""
        return PixelRule(self.exif, self.bit_depth)

    def identity(self) -> dict[str, Any]:
        """Return the settings that change a result; earlier releases used all 16 bits of 16-bit images."""
        content = super().identity()
        return {key: value for key, value in content.items() if (key, value) != ("bit_depth", FULL_DEPTH)}
