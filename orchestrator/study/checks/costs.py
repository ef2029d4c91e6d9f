"""Check objectives and constraints of a search that are about the costs of a student."""

from collections.abc import Iterator

from orchestrator.study.checks.context import Context
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.schema import Search
from orchestrator.study.space import is_listed
from orchestrator.study.substitute import section_of
from trainers.schema.costs import COSTS

CONSTRAINTS: KeyPath = ("search", "constraints")
OBJECTIVES: KeyPath = ("search", "objectives")


def check_costs(context: Context) -> Iterator[Problem]:
    """Yield objectives that are the same at every point, and constraints that the search cannot follow."""
    search = context.study.search
    yield from _check_objectives(search)
    yield from _check_latency(search)
    if not search.constraints.given:
        return
    if search.algorithm.has_segments:
        yield Problem(
            CONSTRAINTS, f"{search.algorithm.kind} trains one student: constraints have nothing to choose from"
        )
    if search.warm_start is not None:
        yield Problem(("search", "warm_start"), "gives AP alone: it does not go with search.constraints")


def _check_objectives(search: Search) -> Iterator[Problem]:
    if any(section_of(key) == "student" for key in search.space):
        return
    for index, objective in enumerate(search.objectives):
        if objective in COSTS:
            message = f"{objective} is the same at every point: search a key of student, student.width for example"
            yield Problem((*OBJECTIVES, index), message)


def _check_latency(search: Search) -> Iterator[Problem]:
    """Yield distributions over students whose latency decides: it is measured before anything is trained."""
    if "latency_ms" not in search.objectives and "latency_ms" not in search.constraints.given:
        return
    for key, domain in search.space.items():
        if section_of(key) == "student" and not is_listed(domain):
            message = "latency_ms is measured before anything is trained: give a list of values, not a distribution"
            yield Problem(("search", "space", key), message)
