"""List the kinds of oddities that annotation files have, and what each of them means for training and evaluation."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Kind:
    """Name a kind of oddity by a phrase in the plural.

    ``level`` is how ``data check`` reports it. With ``stops`` nothing can be trained or evaluated until it is mended.
    A kind that is told ``once`` gets one message for a whole file, with the first place and the number of all places.
    """

    name: str
    level: Level = "error"
    stops: bool = False
    once: bool = False


# What stops training and evaluation.
UNREADABLE = Kind("unreadable annotation files", stops=True)
MISSING_XML = Kind("missing annotation files", stops=True, once=True)
IMAGES_WITHOUT_ID = Kind("images without id", stops=True)
CATEGORIES_WITHOUT_ID = Kind("categories without id", stops=True)
ANNOTATIONS_WITHOUT_ID = Kind("annotations without id", stops=True)
DUPLICATE_IMAGES = Kind("duplicate image ids", stops=True)
DUPLICATE_CATEGORIES = Kind("duplicate category ids", stops=True)
DUPLICATE_ANNOTATIONS = Kind("duplicate annotation ids", stops=True)
NAMELESS_CATEGORIES = Kind("categories without name", stops=True)
ABSENT_CLASSES = Kind("absent classes", stops=True)
NAMELESS_IMAGES = Kind("images without file name", stops=True)
IMAGES_OUTSIDE = Kind("images outside of the root", stops=True, once=True)
IMAGES_WITHOUT_SIZE = Kind("images without size", stops=True)
NO_BOX = Kind("annotations without box", stops=True)
NO_NUMBERS = Kind("boxes that are no numbers", stops=True)
UNCLEAR_FLAGS = Kind("annotations with an unclear iscrowd or ignore", stops=True)

# What may be meant, and mostly is not.
SHARED_FILES = Kind("images that share a file", "warning", once=True)
CORNERS = Kind("files that seem to give corners", "warning", once=True)

# What fails when the image is read.
MISSING_IMAGES = Kind("missing images", once=True)

# What is left out, of training and evaluation alike; where nothing is left, that is the error.
UNKNOWN_IMAGES = Kind("annotations of unknown images", "warning")
UNKNOWN_CATEGORIES = Kind("annotations of unknown categories", "warning")

# What is left out of training, and of VOC folders also of evaluation.
NO_AREA = Kind("boxes without area")
OUTSIDE = Kind("boxes outside of their images")
UNREACHABLE = (NO_AREA, OUTSIDE)

# What is left out of training only.
BELOW_PIXEL = Kind("boxes below a pixel", "warning", once=True)
SMALL_IMAGES = Kind("small images", "warning", once=True)
IN_SMALL_IMAGES = Kind("boxes in small images", "warning", once=True)
WITHOUT_BOXES = Kind("images without boxes", "warning", once=True)

# What is mended on reading.
AREAS = Kind("annotations without area", "warning", once=True)
LISTED_TWICE = Kind("duplicate image ids")  # by a VOC list: the image then counts twice
SHARED_NAMES = Kind("categories that share a name", "warning", once=True)
UNKNOWN_SIZE = Kind("images without size", "warning")

LEFT_OUT = (UNKNOWN_IMAGES, UNKNOWN_CATEGORIES, NO_AREA, OUTSIDE, BELOW_PIXEL)
MENDED = (AREAS, SHARED_NAMES)
DOUBTFUL = (SHARED_FILES, CORNERS)
