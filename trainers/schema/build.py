"""Define the requests and answers of ``trainers.build_check.check``. Imports nothing heavy."""

from typing import Literal

from pydantic import JsonValue

from trainers.schema.base import Section
from trainers.schema.detector import Detector
from trainers.schema.method import MethodSpec
from trainers.schema.trial import Teacher, Weights


class BuildUnit(Section):
    """Ask for one detector to be built and to make a step: alone, and with each of ``methods`` against ``teacher``.

    ``canvas`` is (width, height) of the study's images, given where the detector or its teacher has a head that nobody
    described: such detectors may need other sizes. ``init`` is a checkpoint that it has to fit; ``starts`` says that the detector which it starts from is here, and has to
    fit it.
    """

    key: str
    student: Detector
    canvas: tuple[int, int] | None = None
    init: Weights | None = None
    starts: bool = False
    teacher: Teacher | None = None
    methods: tuple[MethodSpec, ...] = ()


class BuildRequest(Section):
    """Ask for units, each for a dataset of ``classes``."""

    classes: tuple[str, ...]
    units: tuple[BuildUnit, ...]


class BuildProblem(Section):
    """Hold one problem of a part of a unit, as a sentence; ``method`` is the index of the method that it is about."""

    part: Literal["student", "weights", "start", "teacher", "method"]
    message: str
    method: int | None = None


class StartAnswer(Section):
    """Report the tensors that a detector takes from the one that it starts from: as a sentence, and as in ``weights.json``."""

    said: str
    report: dict[str, JsonValue]


class BuildAnswer(Section):
    """Answer one unit; without problems everything could be built."""

    key: str
    problems: tuple[BuildProblem, ...] = ()
    start: StartAnswer | None = None
