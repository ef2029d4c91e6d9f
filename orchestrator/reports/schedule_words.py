"""Say a training schedule in words, for readers who do not know its keys."""

from collections.abc import Iterator

from orchestrator.study.wording import counted
from trainers.schema.schedule import CosinePolicy, FlatCosinePolicy, Schedule, StepPolicy

OPTIMIZERS = {"sgd": "SGD", "adamw": "AdamW"}


def schedule_words(schedule: Schedule) -> str:
    """Return length, optimizer, learning rate and its course, and unusual settings, as one line."""
    return "; ".join(_parts(schedule))


def _parts(schedule: Schedule) -> Iterator[str]:
    yield f"{_length(schedule)} in batches of {schedule.batch_size}"
    yield f"{OPTIMIZERS[schedule.optimizer.kind]} at a learning rate of {schedule.effective_lr:g}{_warmup(schedule)}, {_course(schedule)}"
    if schedule.closing_epochs:
        yield f"the last {counted(schedule.closing_epochs, 'epoch')} without mosaic and mixup"
    if schedule.ema is not None:
        yield "a moving average of the weights is evaluated"
    if schedule.clip_grad is not None:
        yield f"gradients are clipped at a norm of {schedule.clip_grad:g}"
    if schedule.precision != "fp32":
        yield f"computed in {schedule.precision}"
    yield (
        "evaluated after each epoch"
        if schedule.val_interval == 1
        else f"evaluated every {schedule.val_interval} epochs"
    )


def _length(schedule: Schedule) -> str:
    if schedule.epochs is None:
        return counted(schedule.iterations or 0, "step")
    at_most = "" if schedule.iterations is None else f", at most {counted(schedule.iterations, 'step')},"
    return f"{counted(schedule.epochs, 'epoch')}{at_most}"


def _warmup(schedule: Schedule) -> str:
    warmup = schedule.warmup
    if warmup.epochs is not None:
        return f" after {counted(warmup.epochs, 'epoch')} of warm-up"
    return f" after {counted(warmup.iterations, 'step')} of warm-up" if warmup.iterations else ""


def _course(schedule: Schedule) -> str:
    """Return how the learning rate goes on after the warm-up."""
    policy, unit = schedule.policy, {"epoch": "epoch", "iteration": "step"}[schedule.unit]
    if isinstance(policy, StepPolicy):
        when = " and ".join(map(str, policy.milestones))
        several = "s" if len(policy.milestones) > 1 else ""
        return f"times {policy.gamma:g} after {unit}{several} {when}" if policy.milestones else "constant"
    if isinstance(policy, CosinePolicy | FlatCosinePolicy):
        begin = f" from {unit} {policy.begin} on" if policy.begin else ""
        end = f" to {policy.final_factor:g} of it" if policy.final_factor else " to 0"
        return f"falling along half a cosine{begin}{end}"
    return "constant"
