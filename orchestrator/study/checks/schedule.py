"""Check that schedules fit the workers and the trial scheduler, and describe the resulting schedule."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from orchestrator.study.checks.context import Context
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.schema import LEAST_FACTOR, Asha, Pasha, TrainedTeacher
from trainers.schema.schedule import CosinePolicy, FlatCosinePolicy, Schedule, StepPolicy

ValueOrigin = Callable[..., KeyPath]  # where a schedule got the value of a field


def check_batches(context: Context) -> Iterator[Problem]:
    """Yield global batches that do not divide evenly among the workers: the workers' losses are averaged evenly."""
    workers = context.study.scaling.most_workers
    key = "scaling.workers" if context.study.scaling.shares is None else "scaling.workers.max"
    for schedule, origin in _schedules(context):
        batch = schedule.batch_size
        if batch % workers:
            message = f"a batch of {batch} does not divide evenly among {workers} workers ({key})"
            yield Problem(origin("batch_size"), message)


def check_gpus(context: Context) -> Iterator[Problem]:
    """Yield shares of a GPU for trials of several workers: the workers of one trial cannot talk over one GPU."""
    scaling = context.study.scaling
    each = scaling.gpus_per_worker
    if scaling.most_workers == 1 or each == "auto":
        return
    if each == "shared" or each % 1:
        given, whole = ("shared", 1) if each == "shared" else (f"{each:g}", math.ceil(each))
        message = f"each of several workers takes whole GPUs, got {given}: write {whole}, or workers: 1"
        yield Problem(("scaling", "gpus_per_worker"), message, rests_on=(("scaling", "workers"),))


def check_early_stopping(context: Context) -> Iterator[Problem]:
    """Yield settings of ASHA and PASHA under which no trial is ever stopped, or later than one would think."""
    scheduler = context.study.search.scheduler
    if not isinstance(scheduler, Asha | Pasha):
        return
    lengths = sorted(_lengths(context, scheduler))
    yield from _long_grace(scheduler.grace_epochs, lengths)
    if isinstance(scheduler, Pasha):
        yield from _without_rungs(scheduler, lengths)
    for variant in context.schedules:
        if variant.section.val_interval != 1 and isinstance(scheduler, Asha):
            message = f"asha decides on evaluations, and there is one every {variant.section.val_interval} epochs only"
            yield Problem(variant.origin("val_interval"), message, "warning")


def _lengths(context: Context, scheduler: Asha | Pasha) -> set[int]:
    """Return the lengths in the epochs that rungs count: those of the trials, or at phases that of the study's own schedule."""
    own = context.study.schedule.epochs
    found = [own] if scheduler.rungs == "phase" else [variant.section.epochs for variant in context.schedules]
    return {epochs for epochs in found if epochs is not None}


def _long_grace(grace: int, lengths: Sequence[int]) -> Iterator[Problem]:
    path, rests_on = ("search", "scheduler", "grace_epochs"), (("schedule", "epochs"),)
    if lengths == [grace]:
        message = f"{grace} epochs of grace are all that a trial has: none is stopped before its end"
        yield Problem(path, message, "warning", rests_on=rests_on)
    for epochs in lengths:
        if grace > epochs:
            message = f"{grace} epochs of grace are more than a trial has ({epochs}): none would be stopped"
            yield Problem(path, message, rests_on=rests_on)


def _without_rungs(scheduler: Pasha, lengths: Sequence[int]) -> Iterator[Problem]:
    """Yield that the shortest trial has no rung to compare at; its remedy suits all longer ones."""
    grace, factor = scheduler.grace_epochs, scheduler.reduction_factor
    epochs = next((epochs for epochs in lengths if epochs > grace), 0)
    if grace < epochs <= grace * factor:
        message = f"no rung lies between epoch {grace} and the end ({epochs}): {_more_rungs(grace, epochs)}"
        place, rests_on = ("search", "scheduler", "reduction_factor"), (("schedule", "epochs"),)
        yield Problem(place, message, "warning", rests_on=rests_on)


def _more_rungs(grace: int, epochs: int) -> str:
    """Return what to write so that a rung of PASHA lies before the end."""
    factor = math.ceil(epochs / grace) - 1
    if factor >= LEAST_FACTOR:
        return f"write a factor of {factor}" + (" or less" if factor > LEAST_FACTOR else "")
    most = math.ceil(epochs / LEAST_FACTOR) - 1
    return f"write grace_epochs: {most}, with a factor of {LEAST_FACTOR}" if most else "it needs three epochs or more"


def check_warmup(context: Context) -> Iterator[Problem]:
    """Yield warm-ups as long as the schedule, and policies that lower the learning rate while it still rises."""
    for schedule, origin in _schedules(context):
        length, fall = _warmup(schedule), _fall(schedule)
        if length and outlasts_by_itself(schedule):
            yield Problem(origin("warmup"), outlasting(length, schedule.unit, schedule.length), "warning")
        elif length and fall and fall < length:
            message = f"the learning rate falls at {schedule.unit} {fall}, before the warm-up ends at {length}"
            yield Problem(origin("policy"), message, "warning")


def outlasts_by_itself(schedule: Schedule) -> bool:
    """Return whether a warm-up is as long as the schedule, or longer, where both are given in one unit."""
    return (_warmup(schedule) or 0) >= schedule.length > 0


def outlasting(warmup: int, unit: str, training: int) -> str:
    """Describe a warm-up as long as the training, or longer."""
    reached = "never reached" if warmup > training else "reached at the last step only"
    return f"the warm-up lasts {warmup} {unit}s and training {training}: lr is {reached}"


def check_learning_rates(context: Context) -> Iterator[Problem]:
    """Yield the learning rates that batches of another size than ``lr_batch`` are trained with."""
    for schedule, origin in _schedules(context):
        if schedule.effective_lr != schedule.lr:
            given = f"learning rate {schedule.lr:g} is for a batch of {schedule.lr_batch}"
            message = f"{given}; this batch is {schedule.batch_size}: trains with {schedule.effective_lr:g}"
            yield Problem(origin("lr"), message, "note")


def _warmup(schedule: Schedule) -> int | None:
    """Return the length of the warm-up in the schedule's unit, ``None`` if it is given in the other unit."""
    return schedule.warmup.epochs if schedule.unit == "epoch" else schedule.warmup.iterations


def _fall(schedule: Schedule) -> int | None:
    """Return where the policy first lowers the learning rate; ``None`` also for a cosine that is flat at the start."""
    policy = schedule.policy
    if isinstance(policy, StepPolicy):
        return next(iter(policy.milestones), None)
    return policy.begin if isinstance(policy, CosinePolicy | FlatCosinePolicy) else None


def _schedules(context: Context) -> Iterator[tuple[Schedule, ValueOrigin]]:
    """Yield the students' schedules and those of teachers which are trained, with where their fields come from."""
    for variant in context.schedules:
        yield variant.section, variant.origin
    for teacher in context.teachers:
        if isinstance(teacher.section, TrainedTeacher):
            yield teacher.section.schedule, partial(teacher.origin, "schedule")
