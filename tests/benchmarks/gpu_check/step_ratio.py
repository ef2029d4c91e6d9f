"""Time a BCKD step against a step of the student alone plus a forward pass of the teacher alone, in pairs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from tests.benchmarks.gpu_check.budget import Budget, Row
from tests.benchmarks.gpu_check.cohorts import Cohort, built
from tests.benchmarks.gpu_check.scale import MODES, Scale
from tests.benchmarks.pairs import Clock, timed_pair
from tests.benchmarks.step import Plain


def names(scale: Scale) -> list[str]:
    """Return the names of the pairs."""
    return [f"pair {number}" for number in range(scale.most_pairs)]


def measure(scale: Scale, budget: Budget, record: Callable[[Row], None]) -> None:
    """Record the pairs."""
    cohort = Cohort(scale, scale.sizes[0], MODES[0])
    cohort.grow_to(1)
    plain = Plain(built(scale.student), cohort.inputs, cohort.samples)
    teacher = built(scale.teacher).to(scale.device).eval().requires_grad_(False)
    parts = partial(_parts, plain, teacher, cohort.inputs)
    for _ in range(2):  # the first step is probed
        cohort.step()
        parts()
    cells = [partial(_pair, name, number, cohort.step, parts, scale) for number, name in enumerate(names(scale))]
    budget.spend(cells, record)


def _parts(plain: Plain, teacher: Any, inputs: torch.Tensor) -> None:
    plain.step()
    with torch.no_grad():
        teacher.bbox_head(teacher.extract_feat(inputs))


def _pair(name: str, number: int, ours: Callable[[], None], theirs: Callable[[], None], scale: Scale) -> Row:
    first, second = timed_pair(ours, theirs, number, Clock(scale.device))
    return {"name": name, "ours": first, "theirs": second}
