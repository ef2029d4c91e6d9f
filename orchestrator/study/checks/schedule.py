"""Check that schedules fit the workers and the trial scheduler."""

from collections.abc import Iterator

from orchestrator.study.checks.context import Context
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.schema import Asha, TrainedTeacher


def check_batches(context: Context) -> Iterator[Problem]:
    """Yield global batches that do not divide evenly among the workers: the workers' losses are averaged evenly."""
    for path, batch in _batches(context):
        workers = context.study.scaling.workers
        if batch % workers:
            yield Problem(path, f"a batch of {batch} does not divide evenly among {workers} workers (scaling.workers)")


def check_early_stopping(context: Context) -> Iterator[Problem]:
    """Yield ASHA settings under which no trial is ever stopped, or later than one would think."""
    scheduler = context.study.search.scheduler
    if not isinstance(scheduler, Asha):
        return
    grace = scheduler.grace_epochs
    for variant in context.schedules:
        epochs, interval = variant.section.epochs, variant.section.val_interval
        if grace > epochs:
            message = f"{grace} epochs of grace are more than a trial has ({epochs}): none would be stopped"
            yield Problem(("search", "scheduler", "grace_epochs"), message)
        if interval != 1:
            message = f"asha decides on evaluations, and there is one every {interval} epochs only"
            yield Problem(variant.origin("val_interval"), message, "warning")


def _batches(context: Context) -> Iterator[tuple[KeyPath, int]]:
    for variant in context.schedules:
        yield variant.origin("batch_size"), variant.section.batch_size
    teacher = context.study.teacher
    if isinstance(teacher, TrainedTeacher):
        yield ("teacher", "schedule", "batch_size"), teacher.schedule.batch_size
