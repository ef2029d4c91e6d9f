"""Build mmengine's optimizer wrapper and schedulers from a study's schedule."""

import math
from typing import Any

from mmdet.engine.schedulers import QuadraticWarmupLR
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from trainers.distill.half_precision import ScaledOptimWrapper
from trainers.schema import Schedule
from trainers.schema.schedule import AdamW, CosinePolicy, FlatCosinePolicy, Sgd, StepPolicy, Warmup


class UnreadOptimWrapper(OptimWrapper):
    """Clip gradients as mmengine does, without reading their norm: that would wait for the device, and nobody logs it."""

    def _clip_grad(self) -> None:
        groups = self.optimizer.param_groups
        given = [p for group in groups for p in group["params"] if p.requires_grad and p.grad is not None]
        if given:
            self.clip_func(given, **self.clip_grad_kwargs)


class ScaledUnreadOptimWrapper(UnreadOptimWrapper, ScaledOptimWrapper):
    """Do the same, and scale the losses of fp16."""


POSITION_TABLES = ("absolute_pos_embed", "relative_position_bias_table")  # of Swin Transformer: no weights of a layer


def build_optimizer(trained: nn.Module, schedule: Schedule) -> Any:
    """Return mmengine's ``OptimWrapper`` over a student's parameters, and those of its terms' connectors.

    Its learning rate is the schedule's effective one. All parameters form one group unless the schedule treats norms
    or biases apart; then each has its own. In fp16 it also scales the loss.
    """
    rule = schedule.optimizer
    options: dict[str, Any] = {"lr": schedule.effective_lr, "weight_decay": rule.weight_decay}
    if isinstance(rule, Sgd):
        options |= {"type": "SGD", "momentum": rule.momentum, "nesterov": rule.nesterov}
    else:
        options |= {"type": "AdamW"}
    clip = None if schedule.clip_grad is None else {"max_norm": schedule.clip_grad, "norm_type": 2}
    kind = ScaledUnreadOptimWrapper if schedule.precision == "fp16" else UnreadOptimWrapper
    config = {"type": kind, "optimizer": options, "clip_grad": clip, "paramwise_cfg": _apart(rule)}
    return build_optim_wrapper(trained, config)


def _apart(rule: Sgd | AdamW) -> dict[str, Any] | None:
    """Return mmengine's settings for single kinds of parameters, ``None`` where all are treated alike."""
    found: dict[str, Any] = {}
    if not rule.norm_weight_decay:
        found |= {"norm_decay_mult": 0.0, "custom_keys": {name: {"decay_mult": 0.0} for name in POSITION_TABLES}}
    if not rule.bias_weight_decay:
        found["bias_decay_mult"] = 0.0
    if rule.bias_lr_factor != 1.0:
        found["bias_lr_mult"] = rule.bias_lr_factor
    return found | {"bypass_duplicate": True} if found else None  # RTMDet's levels share convolutions


def learning_rate(optimizer: Any) -> float:
    """Return the learning rate of the next step, that of parameters which are not treated apart."""
    rates = optimizer.get_lr()
    rate: float = rates.get("base_lr", rates["lr"])[0]
    return rate


def build_schedulers(optimizer: Any, schedule: Schedule, steps_per_epoch: int) -> list[Any]:
    """Return mmengine's parameter schedulers, all stepped once per optimizer step.

    Where the schedule has ``epochs``, milestones and the cosine's length follow them, not ``iterations``: a run that
    is cut short has the learning rates of the full one.
    """
    configs = [_warmup(schedule.warmup, steps_per_epoch), _policy(schedule, steps_per_epoch)]
    return [
        PARAM_SCHEDULERS.build({**config, "optimizer": optimizer, "by_epoch": False}) for config in configs if config
    ]


def _warmup(warmup: Warmup, steps_per_epoch: int) -> dict[str, Any] | None:
    """Return the settings of the warm-up, ``None`` where the first step has the whole learning rate already.

    mmengine's schedulers of one step would put the factor on and never take it off.
    """
    end = warmup.steps(steps_per_epoch)
    if warmup.shape == "quadratic" and end:
        return {"type": QuadraticWarmupLR, "begin": 0, "end": end}
    if end <= 1 or math.isclose(warmup.factor, 1.0):
        return None
    if warmup.shape == "constant":
        return {"type": "ConstantLR", "factor": warmup.factor, "begin": 0, "end": end}
    return {"type": "LinearLR", "start_factor": warmup.factor, "begin": 0, "end": end}


def _policy(schedule: Schedule, steps_per_epoch: int) -> dict[str, Any] | None:
    policy = schedule.policy
    unit = 1 if schedule.epochs is None else steps_per_epoch
    if isinstance(policy, StepPolicy):
        milestones = [moment * unit for moment in policy.milestones]
        return {"type": "MultiStepLR", "milestones": milestones, "gamma": policy.gamma}
    if isinstance(policy, CosinePolicy):
        end = schedule.closing_step(steps_per_epoch)
        return _cosine(policy.final_factor, end, policy.begin * unit, end)
    if isinstance(policy, FlatCosinePolicy):
        begin, end = policy.begin * unit, schedule.length * unit
        return _cosine(policy.final_factor, end - begin, begin, end)
    return None


def _cosine(ratio: float, length: int, begin: int, end: int) -> dict[str, Any] | None:
    """Return the settings of half a cosine over ``length`` steps that acts from step ``begin`` to step ``end``."""
    if end <= begin:
        return None  # nothing is trained
    return {"type": "CosineAnnealingLR", "T_max": length, "eta_min_ratio": ratio, "begin": begin, "end": end}
