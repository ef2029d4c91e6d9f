"""Build mmengine's optimizer wrapper and schedulers from a study's schedule."""

import math
from typing import Any

from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from trainers.spec import Schedule
from trainers.spec.schedule import CosinePolicy, StepPolicy


def total_steps(schedule: Schedule, steps_per_epoch: int) -> int:
    """Return how many optimizer steps the schedule makes."""
    whole = schedule.epochs * steps_per_epoch
    return whole if schedule.iterations is None else min(whole, schedule.iterations)


def build_optimizer(student: nn.Module, schedule: Schedule) -> Any:
    """Return mmengine's ``OptimWrapper`` over the student's trainable parameters."""
    optimizer = schedule.optimizer.model_dump(exclude={"kind"})
    name = "SGD" if schedule.optimizer.kind == "sgd" else "AdamW"
    clip = None if schedule.clip_grad is None else {"max_norm": schedule.clip_grad, "norm_type": 2}
    config = {"type": "OptimWrapper", "optimizer": {"type": name, "lr": schedule.lr, **optimizer}, "clip_grad": clip}
    return build_optim_wrapper(student, config)


def build_schedulers(optimizer: Any, schedule: Schedule, steps_per_epoch: int) -> list[Any]:
    """Return mmengine's parameter schedulers, all stepped once per optimizer step.

    Milestones and the cosine's length follow ``epochs``, not ``iterations``: a run that is cut short has the learning
    rates of the full one.
    """
    configs = [_warmup(schedule), _policy(schedule, steps_per_epoch)]
    return [
        PARAM_SCHEDULERS.build({**config, "optimizer": optimizer, "by_epoch": False}) for config in configs if config
    ]


def _warmup(schedule: Schedule) -> dict[str, Any] | None:
    if schedule.warmup.iterations == 0 or math.isclose(schedule.warmup.factor, 1.0):
        return None
    return {"type": "LinearLR", "start_factor": schedule.warmup.factor, "begin": 0, "end": schedule.warmup.iterations}


def _policy(schedule: Schedule, steps_per_epoch: int) -> dict[str, Any] | None:
    policy = schedule.policy
    if isinstance(policy, StepPolicy):
        milestones = [epoch * steps_per_epoch for epoch in policy.milestones]
        return {"type": "MultiStepLR", "milestones": milestones, "gamma": policy.gamma}
    if isinstance(policy, CosinePolicy):
        length = schedule.epochs * steps_per_epoch
        return {"type": "CosineAnnealingLR", "T_max": length, "eta_min_ratio": policy.final_factor, "end": length}
    return None
