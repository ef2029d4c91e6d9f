"""Compare trials at equal phases of their learning rates: by which share of its sum they have spent.

A trial of 24 epochs has spent a third of its learning rates at epoch 8, and one of 12 epochs whose milestone is epoch 8 nearly
all of them, so their AP at epoch 8 says little about their ends. Warm-ups, which are short, are left out.
"""

import math
from functools import lru_cache

from trainers.schema.schedule import ConstantPolicy, CosinePolicy, FlatCosinePolicy, Schedule, StepPolicy

DIGITS = 9  # of an epoch: two sums of the same rates differ by rounding


def epoch_alike(schedule: Schedule, reference: Schedule, epoch: int) -> float:
    """Return at which epoch, with its fraction, ``reference`` has the phase that ``schedule`` has after ``epoch`` epochs."""
    own, other = _spent(schedule), _spent(reference)
    wanted = own[min(epoch, len(own) - 1)] / own[-1] * other[-1]
    after = next((number for number, spent in enumerate(other) if spent >= wanted * (1 - 1e-12)), len(other) - 1)
    if after == 0:
        return 0.0
    begin, end = other[after - 1], other[after]
    return round(after - 1 + min(1.0, (wanted - begin) / (end - begin)), DIGITS)


def first_epoch_at(schedule: Schedule, reference: Schedule, level: float) -> int:
    """Return the first epoch after which ``schedule`` is as far as ``reference`` is at epoch ``level``."""
    last = schedule.length
    return next((epoch for epoch in range(1, last) if epoch_alike(schedule, reference, epoch) >= level), last)


@lru_cache(maxsize=4096)
def _spent(schedule: Schedule) -> tuple[float, ...]:
    """Return the sums of the rates, as shares of the full rate, after 0, 1, ... epochs; they rise strictly."""
    found = [0.0]
    for epoch in range(schedule.length):
        found.append(found[-1] + max(1e-9, _factor(schedule, epoch + 0.5)))
    return tuple(found)


def _factor(schedule: Schedule, epoch: float) -> float:
    """Return the learning rate at a moment as a share of the full one."""
    policy = schedule.policy
    if isinstance(policy, ConstantPolicy):
        return 1.0
    if isinstance(policy, StepPolicy):
        return float(policy.gamma ** sum(milestone <= epoch for milestone in policy.milestones))
    end = schedule.length - (schedule.closing_epochs if isinstance(policy, CosinePolicy) else 0)
    return _cosine(policy, end, min(epoch, end))


def _cosine(policy: CosinePolicy | FlatCosinePolicy, end: int, epoch: float) -> float:
    if epoch <= policy.begin:
        return 1.0
    length = end - policy.begin if isinstance(policy, FlatCosinePolicy) else end
    share = (1 + math.cos(math.pi * (epoch - policy.begin) / length)) / 2
    return policy.final_factor + (1 - policy.final_factor) * share
