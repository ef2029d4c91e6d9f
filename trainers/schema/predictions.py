"""Define how predictions on chosen images are kept: the files that are written once and read by figures and dashboards.

All files lie in a folder ``predictions/`` of a run's artifacts, UTF-8 JSON but for the images:

===============================  ================  ==========================================================
file                             in the run of     holds
===============================  ================  ==========================================================
``index.json``                   the study         ``Index``: the images, in the order in which they were chosen
``images/<key>.jpg``             the study         the image, at most ``Limits.longest_side`` pixels long
``<key>.json``                   a trial           ``ImagePredictions``: the best student's detections
``scores.json``                  a trial           ``ScoreCounts``: how scores of right and wrong boxes spread
``curves.json``                  a trial           ``PrecisionCurves`` over the whole validation split
``confusions.json``              a trial           ``Confusions`` over the whole validation split
===============================  ================  ==========================================================

``<key>`` is the dataset's own number of the image, the same for every trial of a dataset; of ids that are text or below
0, which no file may have as its name, it is a digest. ``Picture.id`` is the id for people. Boxes are (x1, y1, x2, y2) in
pixels of the original image (``Picture.width`` x ``Picture.height``), counted from 0: scale them by ``shown_width /
width`` to draw them over the JPEG. A trial's files may be about more images than an index lists, and about fewer. The last
two are those of ``trainers.schema.split_errors``; earlier releases did not write them.
"""

import hashlib
import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainers.schema.base import Section
from trainers.schema.trial import TrialSpec

FOLDER, INDEX, SCORES, IMAGES, TRIALS = "predictions", "index.json", "scores.json", "images", "trials"
BINS = 20  # of the score, equally wide over 0 to 1

NUMBER = "[0-9]{1,20}"
Key = Annotated[str, Field(pattern=rf"^({NUMBER}|x[0-9a-f]{{16}})$")]
Box = tuple[float, float, float, float]
Count = Annotated[int, Field(ge=0)]
DetectionKind = Literal["tp", "fp", "ignored"]


def key_of(image_id: int | str) -> str:
    """Return the key of an image: its number, or a digest where that cannot be a file's name."""
    text = str(image_id)
    if isinstance(image_id, int) and re.fullmatch(NUMBER, text):
        return text
    return f"x{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"


class TruthBox(Section):
    """Hold one annotated object; ``ignore`` marks crowds and difficult ones, which count neither way."""

    box: Box
    label: Count
    ignore: bool = False


class Picture(Section):
    """Hold one chosen image: its original size, the size of the JPEG (pixels), and its annotations.

    ``id`` is the dataset's own id as people write it; it is empty where it is the key. ``file`` is the name of the image file,
    empty where that was not recorded.
    """

    key: Key
    id: str = ""
    file: str = ""
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    shown_width: int = Field(ge=1)
    shown_height: int = Field(ge=1)
    truth: tuple[TruthBox, ...]


class Index(Section):
    """List a study's chosen images; ``trials`` maps the id of each trial that looked at them to its name for people.

    ``asked`` is the number of images that were asked for, 0 where that was not recorded; ``left_out`` counts those among them
    that would not have fitted into ``budget_bytes``. ``curves`` are the ids of the trials that have curves and confusions.
    """

    format: Literal[1] = 1
    classes: tuple[str, ...]
    images: tuple[Picture, ...]
    trials: dict[str, str]
    curves: tuple[str, ...] = ()
    asked: Count = 0
    left_out: Count = 0
    budget_bytes: Count


class ImagePredictions(Section):
    """Hold one trial's detections in one image, at most ``dataset.max_detections``, highest score first.

    ``kinds`` follows COCO's matching at an IoU of 0.5, class by class: ``tp`` met an object that no better box had met,
    ``ignored`` met a crowd or a difficult object, ``fp`` neither. ``matches`` is the position of the object met in
    ``Picture.truth``, ``None`` without one; ``missed`` are the positions of the objects that no box met.
    """

    format: Literal[1] = 1
    image: Key
    trial: str
    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    labels: tuple[Count, ...]
    kinds: tuple[DetectionKind, ...]
    matches: tuple[Count | None, ...]
    missed: tuple[Count, ...]

    @model_validator(mode="after")
    def _lists_are_parallel(self) -> "ImagePredictions":
        lengths = {len(part) for part in (self.boxes, self.scores, self.labels, self.kinds, self.matches)}
        if len(lengths) != 1:
            raise ValueError(f"boxes, scores, labels, kinds and matches must be equally long, got {sorted(lengths)}")
        return self


class ScoreCounts(Section):
    """Count boxes by score: bin n of 20 holds scores from n / 20 to (n + 1) / 20, the last one 1.0 as well.

    ``images`` is the number of images looked at, ``objects`` that of the annotated objects that count, ``missed`` that
    of those among them that no box met, at any score.
    """

    format: Literal[1] = 1
    trial: str
    images: Count
    objects: Count
    missed: Count
    tp: tuple[Count, ...] = Field(min_length=BINS, max_length=BINS)
    fp: tuple[Count, ...] = Field(min_length=BINS, max_length=BINS)
    ignored: tuple[Count, ...] = Field(min_length=BINS, max_length=BINS)


class Subject(Section):
    """Name a trial whose best student is to look at the images, and where its checkpoint is."""

    id: str
    name: str
    spec: TrialSpec
    checkpoint: str


class Limits(Section):
    """Bound the recorded files: number of images, bytes in all, pixels of the longer side, JPEG quality."""

    images: int = Field(24, ge=1, le=10_000)
    budget_bytes: int = Field(64_000_000, ge=1)
    longest_side: int = Field(640, ge=32, le=4096)
    quality: int = Field(85, ge=1, le=95)


class PredictionJob(Section):
    """Ask for predictions: the trials, all of one dataset, and the images, by number or as many as ``limits`` say.

    ``curves`` asks for precision, recall and confusions over the whole validation split as well.

    ``directory``, which is empty or not there, receives the study's files, and below ``trials/<id>`` each trial's.
    """

    subjects: Annotated[tuple[Subject, ...], Field(min_length=1)]
    image_ids: tuple[int | str, ...] | None = None
    limits: Limits = Limits()
    curves: bool = True
    directory: str
    threads: int = Field(1, ge=1)
    cuda: bool = False
