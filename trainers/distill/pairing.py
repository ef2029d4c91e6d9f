"""Return whether a method's terms compare like with like in two detectors that have been built."""

from collections.abc import Iterator

from trainers.distill.adapters.base import Adapter, spec_of
from trainers.errors import TrialError
from trainers.formats.codings import coding
from trainers.schema.compatibility import ANCHOR_FREE, misfits, needs_of
from trainers.schema.method import MethodSpec
from trainers.schema.terms import Need

# Settings of both heads that must be equal, by what a term needs; terms that compare anchor by anchor need a common grid.
GRID = ("strides",)
EQUAL = {Need.DELTAS: ("bbox_coder", "priors"), Need.DISTRIBUTIONS: ("reg_max",)}
NAMES = {"bbox_coder": "box coders", "priors": "anchors", "reg_max": "reg_max", "strides": "strides"}


def require_pair(method: MethodSpec, teacher: Adapter, student: Adapter) -> None:
    """Raise ``TrialError`` when ``method`` would compare outputs of the two detectors that do not belong together."""
    problem = next(_problems(method, teacher, student), None)
    if problem is not None:
        raise TrialError(problem)


def _problems(method: MethodSpec, teacher: Adapter, student: Adapter) -> Iterator[str]:
    yield from misfits(method, spec_of(teacher.detector), spec_of(student.detector))
    needs = needs_of(method)
    if needs <= ANCHOR_FREE:
        return
    own, theirs = coding(student.head), coding(teacher.head)
    for key in (*GRID, *(key for need, keys in EQUAL.items() if need in needs for key in keys)):
        if own.get(key) != theirs.get(key):
            yield f"{method.kind} needs equal {NAMES[key]}: the teacher's are {theirs.get(key)}, the student's {own.get(key)}"
    counts = [getattr(adapter.head, "num_base_priors", 1) for adapter in (teacher, student)]
    if counts[0] != counts[1]:
        yield f"{method.kind} needs as many anchors at a place: the teacher has {counts[0]}, the student {counts[1]}"
