"""Check the sections of a study against each other and against mmdet, the data and the machine."""

from collections.abc import Callable, Iterable, Iterator

from orchestrator.study.checks.context import Context, gather
from orchestrator.study.checks.costs import check_costs
from orchestrator.study.checks.detectors import check_detectors, check_starts, check_students
from orchestrator.study.checks.method import check_methods, check_timing
from orchestrator.study.checks.metrics import check_goal, check_metric
from orchestrator.study.checks.overlaps import check_overlaps
from orchestrator.study.checks.schedule import (
    check_batches,
    check_early_stopping,
    check_gpus,
    check_learning_rates,
    check_warmup,
)
from orchestrator.study.checks.search import (
    check_finalists,
    check_open_search,
    check_population,
    check_race,
    check_rungs,
    check_search,
)
from orchestrator.study.checks.surroundings import check_data, check_on_end, check_tracking
from orchestrator.study.checks.teacher import check_checkpoint, check_classes, check_presence, check_scales
from orchestrator.study.draft import Draft
from orchestrator.study.location import Problem

# A check runs only when the sections that it compares are right in themselves.
CHECKS: tuple[tuple[tuple[str, ...], Callable[[Context], Iterable[Problem]]], ...] = (
    (("search",), check_search),
    (("search",), check_overlaps),
    (("search", "schedule", "scaling"), check_open_search),
    (("search",), check_race),
    (("search",), check_finalists),
    (("search", "schedule"), check_rungs),
    (("search", "dataset"), check_goal),
    (("search", "dataset"), check_metric),
    (("search",), check_costs),
    (("search", "schedule"), check_population),
    (("search", "schedule"), check_early_stopping),
    (("scaling",), check_batches),
    (("scaling",), check_gpus),
    (("schedule",), check_warmup),
    (("schedule",), check_learning_rates),
    ((), check_detectors),
    ((), check_starts),
    ((), check_students),
    (("teacher", "method"), check_presence),
    (("teacher",), check_checkpoint),
    (("teacher", "dataset"), check_classes),
    (("teacher", "dataset"), check_scales),
    (("teacher", "method"), check_methods),
    (("method", "schedule"), check_timing),
    (("dataset",), check_data),
    (("tracking",), check_tracking),
    (("tracking",), check_on_end),
)


def run_checks(draft: Draft, *, trust_python: bool) -> Iterator[Problem]:
    """Yield everything that the sections which are right in themselves do wrong together.

    Consequences of a value that is already reported are left out.
    """
    context, misfits = gather(draft, trust_python=trust_python)
    yield from filter(draft.means, misfits)
    draft = draft.doubting(problem.path for problem in misfits)
    for sections, check in CHECKS:
        if draft.has(sections):
            yield from filter(draft.means, check(context))
