"""List the kinds of oddities in annotation files, and the effect of each on training and evaluation."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class OddityKind:
    """Name a kind of oddity by a phrase in the plural, and ``one`` of them.

    ``level`` is how ``data check`` reports it. With ``stops`` nothing can be trained or evaluated until it is mended.
    A kind that is told ``once`` gets one message for a whole file, with the first place and the number of all places.
    """

    name: str
    one: str
    level: Level = "error"
    stops: bool = False
    once: bool = False

    def called(self, number: int) -> str:
        """Return the singular or plural name."""
        return self.one if number == 1 else self.name


# What stops training and evaluation.
UNREADABLE = OddityKind("unreadable annotation files", "unreadable annotation file", stops=True)
MISSING_XML = OddityKind("missing annotation files", "missing annotation file", stops=True, once=True)
IMAGES_WITHOUT_ID = OddityKind("images without id", "image without id", stops=True)
CATEGORIES_WITHOUT_ID = OddityKind("categories without id", "category without id", stops=True)
ANNOTATIONS_WITHOUT_ID = OddityKind("annotations without id", "annotation without id", stops=True)
DUPLICATE_IMAGES = OddityKind("duplicate image ids", "duplicate image id", stops=True)
DUPLICATE_CATEGORIES = OddityKind("duplicate category ids", "duplicate category id", stops=True)
DUPLICATE_ANNOTATIONS = OddityKind("duplicate annotation ids", "duplicate annotation id", stops=True)
NAMELESS_CATEGORIES = OddityKind("categories without name", "category without name", stops=True)
ABSENT_CLASSES = OddityKind("absent classes", "absent class", stops=True)
NAMELESS_IMAGES = OddityKind("images without file name", "image without file name", stops=True)
IMAGES_OUTSIDE = OddityKind("images outside of the root", "image outside of the root", stops=True, once=True)
IMAGES_WITHOUT_SIZE = OddityKind("images without size", "image without size", stops=True)
NO_BOX = OddityKind("annotations without box", "annotation without box", stops=True)
NO_NUMBERS = OddityKind("boxes that are no numbers", "box without numbers", stops=True)
NO_SHARES = OddityKind("boxes that are no shares", "box that is no share", stops=True, once=True)
UNCLEAR_FLAGS = OddityKind(
    "annotations with an unclear iscrowd or ignore", "annotation with an unclear iscrowd or ignore", stops=True
)

# What may be meant, and mostly is not.
SHARED_FILES = OddityKind("images that share a file", "image that shares a file", "warning", once=True)
CORNERS = OddityKind("files that seem to give corners", "file that seems to give corners", "warning", once=True)
FRACTIONS = OddityKind("files that seem to give fractions", "file that seems to give fractions", "warning", once=True)
REPEATED_BOXES = OddityKind("repeated boxes", "repeated box", "warning", once=True)
AT_ZERO = OddityKind("objects with a corner at 0", "object with a corner at 0", "warning", once=True)

# What fails when the image is read.
MISSING_IMAGES = OddityKind("missing images", "missing image", once=True)

# What is left out, of training and evaluation alike; where nothing is left, that is the error.
UNKNOWN_IMAGES = OddityKind("annotations of unknown images", "annotation of an unknown image", "warning")
UNKNOWN_CATEGORIES = OddityKind("annotations of unknown categories", "annotation of an unknown category", "warning")

# What is left out of training, and of VOC folders also of evaluation.
NO_AREA = OddityKind("boxes without area", "box without area")
OUTSIDE = OddityKind("boxes outside of their images", "box outside of its image")
UNREACHABLE = (NO_AREA, OUTSIDE)

# What is left out of training only.
BELOW_PIXEL = OddityKind("boxes below a pixel", "box below a pixel", "warning", once=True)
SMALL_IMAGES = OddityKind("small images", "small image", "warning", once=True)
IN_SMALL_IMAGES = OddityKind("boxes in small images", "box in a small image", "warning", once=True)
WITHOUT_BOXES = OddityKind("images without boxes", "image without boxes", "warning", once=True)

# What is mended on reading.
AREAS = OddityKind("annotations without area", "annotation without area", "warning", once=True)
SHARED_NAMES = OddityKind("categories that share a name", "name that categories share", "warning", once=True)
UNKNOWN_SIZE = OddityKind("images without size", "image without size", "warning")

LEFT_OUT = (UNKNOWN_IMAGES, UNKNOWN_CATEGORIES, NO_AREA, OUTSIDE, BELOW_PIXEL)
MENDED = (AREAS, SHARED_NAMES)
DOUBTFUL = (SHARED_FILES, CORNERS, FRACTIONS, REPEATED_BOXES, AT_ZERO)
COUNTED = {kind.name: kind for kind in (*LEFT_OUT, *MENDED, SMALL_IMAGES, IN_SMALL_IMAGES, WITHOUT_BOXES)}
