"""Build the detectors of a study once and make one small step with each, before anything is trained.

Runs as a process of its own, ``python -m trainers.build_check.check REQUEST ANSWERS``: a crash of native code then ends nothing
else. REQUEST is a file with a ``BuildRequest``; one line with a ``BuildAnswer`` is appended to ANSWERS for each unit.
"""

import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch

from trainers.compat.lean_imports import lean_imports
from trainers.detectors.explain import explained
from trainers.errors import TrialError
from trainers.schema import Detector, MethodSpec, NoDistillation, Teacher, Weights
from trainers.schema.build import BuildAnswer, BuildProblem, BuildRequest, BuildUnit, StartAnswer
from trainers.schema.heads import OTHERS
from trainers.schema.method import inherits

SIDE = (
    192  # pixels: the coarsest level of the usual five has 2 x 2 cells, so that every norm has something to normalise
)
OTHER_SIDE = 384  # pixels: the coarsest level of SSD still has a cell, and CornerNet's halve evenly
COARSEST = 128  # the largest stride of mmdet's detectors: sides that are equal modulo it meet the same roundings
Size = tuple[int, int]
IMAGES = 2
ALONE = NoDistillation(kind="none")


def main(request: Path, answers: Path) -> None:
    """Answer each unit of the request, in its order."""
    asked = BuildRequest.model_validate_json(request.read_text(encoding="utf-8"))
    for unit in asked.units:
        answer = answer_to(unit, asked.classes)
        with answers.open("a", encoding="utf-8") as stream:
            stream.write(answer.model_dump_json() + "\n")


def answer_to(unit: BuildUnit, classes: tuple[str, ...]) -> BuildAnswer:
    """Return the problems of a unit, and a report of the tensors that its detector starts from."""
    started: list[StartAnswer] = []
    problems = tuple(problems_of(unit, classes, started.append))
    return BuildAnswer(key=unit.key, problems=problems, start=started[0] if started else None)


def problems_of(
    unit: BuildUnit, classes: tuple[str, ...], on_start: Callable[[StartAnswer], object] = lambda _: None
) -> Iterator[BuildProblem]:
    """Yield the problems of building the unit's detectors and of distilling one into the other by its methods.

    ``on_start`` is called with a report of the tensors that the detector starts from.
    """
    try:
        student = _student(unit.student, classes, unit.canvas)
    except TrialError as error:
        yield BuildProblem(part="student", message=str(error))
        return
    if unit.init is not None:
        yield from _misfit(student, unit.init, classes)
    if unit.starts:
        try:
            on_start(_start(student, unit.student, classes))
        except TrialError as error:
            yield BuildProblem(part="start", message=str(error))
    if unit.teacher is None:
        return
    try:
        teacher = _teacher(unit.teacher, classes, unit.canvas)
    except TrialError as error:
        yield BuildProblem(part="teacher", message=str(error))
        return
    for index, method in enumerate(unit.methods):
        try:
            _step(student, method, teacher, unit.canvas)
        except TrialError as error:
            yield BuildProblem(part="method", method=index, message=str(error))


def _student(detector: Detector, classes: tuple[str, ...], canvas: Size | None) -> Any:
    """Return a student that can be trained alone."""
    from trainers.detectors.detector import build_empty

    model = build_empty(detector, len(classes)).train()
    _step(model, ALONE, None, canvas)
    return model


def _misfit(model: Any, weights: Weights, classes: tuple[str, ...]) -> Iterator[BuildProblem]:
    from trainers.formats.weights import load_weights

    try:
        load_weights(model, weights, "detector", classes)
    except TrialError as error:
        yield BuildProblem(part="weights", message=str(error))


def _start(model: Any, detector: Detector, classes: tuple[str, ...]) -> StartAnswer:
    from trainers.detectors.starting import start_detector

    found = start_detector(model, detector, classes)
    assert found is not None
    return StartAnswer(said=found.describe(), report=found.report())


@cache
def _teacher(teacher: Teacher, classes: tuple[str, ...], canvas: Size | None) -> Any:
    """Return the frozen teacher, which has answered once; one whose training is yet to come has random weights."""
    from trainers.detectors.detector import build_empty
    from trainers.distill.distiller import FrozenTeacher
    from trainers.formats.weights import load_weights

    model = build_empty(teacher.detector, len(classes))
    if teacher.weights is not None:
        load_weights(model, teacher.weights, "teacher", classes)
    frozen = FrozenTeacher(model)
    with explained("ask it as a teacher"):
        frozen.forward(model.data_preprocessor(_batch(_size(canvas, model)), True)["inputs"])
    return frozen


@torch.no_grad()
def _step(student: Any, method: MethodSpec, teacher: Any, canvas: Size | None) -> None:
    """Compute all losses of one batch, as a training step does, and drop them."""
    from trainers.distill.adapters.base import TargetCache
    from trainers.distill.distiller import Distiller
    from trainers.distill.pairing import require_pair
    from trainers.formats.weights import inherit

    what = "train it" if teacher is None else f"distil with {method.kind}"
    size = _size(canvas, student, *([] if teacher is None else [teacher.detector]))
    on = f" on images of {canvas[0]} x {canvas[1]} pixels" if canvas and size != (SIDE, SIDE) else ""
    with explained(what + on):
        distiller = Distiller(student, method, teacher=teacher)
        data = student.data_preprocessor(_batch(size), True)
        head_outputs = None
        if teacher is not None:
            require_pair(method, teacher.adapter, distiller.adapter)
            teacher.serve(method)
            head_outputs = teacher.forward(teacher.detector.data_preprocessor(_batch(size), True)["inputs"])
            if inherits(method):
                inherit(student, teacher.detector)
        distiller(data["inputs"], data["data_samples"], head_outputs, TargetCache())


def _size(canvas: Size | None, *detectors: Any) -> Size:
    """Return the size of images to try these detectors with.

    Detectors that are described take any size. Others see the study's: SSD's coarsest level has no cell below 300 pixels,
    and CornerNet adds maps of equal size only where sides halve evenly. Large images are cut to a size that leaves the
    same remainders, which costs less.
    """
    from trainers.distill.adapters.base import spec_of

    if all(spec_of(detector).detector != OTHERS for detector in detectors):
        return SIDE, SIDE
    if canvas is None:
        return OTHER_SIDE, OTHER_SIDE
    width, height = map(_shortened, canvas)
    return height, width


def _shortened(side: int) -> int:
    return side if side < OTHER_SIDE + COARSEST else OTHER_SIDE + side % COARSEST


def _batch(size: Size) -> dict[str, Any]:
    """Return images of noise with one object each, as mmdet's pipelines put them together."""
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    height, width = size
    pixels = torch.randint(0, 256, (IMAGES, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    box = torch.tensor([[width / 6, height / 6, 2 * width / 3, 2 * height / 3]])
    label = torch.zeros(1, dtype=torch.int64)
    samples = []
    for number in range(IMAGES):
        sample = DetDataSample(
            metainfo={"img_id": number, "img_shape": size, "ori_shape": size, "scale_factor": (1.0, 1.0)}
        )
        sample.gt_instances = InstanceData(bboxes=box.clone(), labels=label.clone())
        samples.append(sample)
    return {"inputs": list(pixels), "data_samples": samples}


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # mmengine prints a paragraph for every tensor that it initialises
    warnings.simplefilter("ignore")
    with lean_imports():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
