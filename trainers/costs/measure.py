"""Measure the costs of detectors, in a process of its own: ``python -m trainers.costs.measure REQUEST ANSWERS``.

REQUEST is a file with a ``CostRequest``; one line with a ``CostAnswer`` is appended to ANSWERS for each unit.
"""

import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from mmengine.model import revert_sync_batchnorm

from trainers.compat.lean_imports import lean_imports
from trainers.errors import TrialError
from trainers.schema.costs import CostAnswer, CostRequest, CostUnit, DetectorCost


def main(request: Path, answers: Path) -> None:
    """Answer each unit of the request, in its order."""
    torch.set_flush_denormal(True)  # random weights make numbers that trained ones do not, and CPUs take ages for them
    asked = CostRequest.model_validate_json(request.read_text(encoding="utf-8"))
    for unit in asked.units:
        answer = answer_to(unit)
        with answers.open("a", encoding="utf-8") as stream:
            stream.write(answer.model_dump_json() + "\n")


def answer_to(unit: CostUnit) -> CostAnswer:
    """Return the cost of a unit as far as it can be measured."""
    from trainers.detectors.detector import build_empty

    try:
        detector = revert_sync_batchnorm(build_empty(unit.detector, unit.classes, max_detections=unit.max_detections))
        return measured(detector.eval(), unit)
    except TrialError as error:
        return CostAnswer(key=unit.key, problem=str(error))


def measured(detector: Any, unit: CostUnit) -> CostAnswer:
    """Return the cost of a detector in evaluation mode; a forward that fails leaves its part out, with the reason."""
    from trainers.costs.images import noise_image
    from trainers.costs.latency import measure_latency
    from trainers.costs.macs import count_macs, parameter_count
    from trainers.detectors.explain import explained

    inputs, samples = noise_image(detector, unit.size)
    cost = DetectorCost(
        parameters=parameter_count(detector),
        macs=None,
        input_size=(inputs.shape[3], inputs.shape[2]),
        classes=unit.classes,
    )
    try:
        with explained("count its multiply-adds"):
            cost = cost.model_copy(update={"macs": count_macs(detector, inputs, samples)})
        if unit.latency:
            with explained("measure its latency"):
                cost = cost.model_copy(update={"latency": measure_latency(detector, inputs, samples)})
    except TrialError as error:
        return CostAnswer(key=unit.key, cost=cost, problem=str(error))
    return CostAnswer(key=unit.key, cost=cost)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    with lean_imports():
        main(Path(sys.argv[1]), Path(sys.argv[2]))
