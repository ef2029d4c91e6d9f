"""Say until which epoch two trials make the same steps, to the bit, and which setting parts them.

All that counts from the first step on is a trial's root. All that counts later is one of its turns: a milestone, the begin of
a cosine, the closing epochs, the moments in which a term acts, the end. Trials of one root make the same steps up to the
first turn that only one of them has. Imports nothing heavy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainers.schema.method import Distillation, MethodSpec, Preset, TermSum, terms_of
from trainers.schema.schedule import ConstantPolicy, CosinePolicy, FlatCosinePolicy, Schedule, StepPolicy, Warmup
from trainers.schema.timing import ALWAYS, window_of
from trainers.schema.trial import TrialSpec

LATER = {"epochs": 1, "iterations": None, "closing_epochs": 0, "val_interval": 1}  # keys of a schedule that turns tell


@dataclass(frozen=True, order=True, slots=True)
class Turn:
    """Hold a setting that changes nothing in the first ``epoch`` epochs, in words that no other setting has."""

    epoch: int
    setting: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """Hold how many epochs two trials have in common, and which setting parts them."""

    epochs: int
    reason: str


def bare(trial: TrialSpec) -> TrialSpec:
    """Return the trial's root: the trial without the settings that its turns tell."""
    later = {**LATER, "policy": ConstantPolicy(kind="constant"), "warmup": Warmup(iterations=0)}
    schedule = trial.schedule.model_copy(update=later)
    return trial.model_copy(update={"schedule": schedule, "method": _always(trial.method)})


def _always(method: MethodSpec) -> MethodSpec:
    """Return the method with terms that act in all steps."""
    if isinstance(method, Preset):
        return method.model_copy(update=ALWAYS)
    if isinstance(method, TermSum):
        return method.model_copy(update={"terms": tuple(term.model_copy(update=ALWAYS) for term in method.terms)})
    return method


def turns(trial: TrialSpec, steps_per_epoch: int) -> tuple[Turn, ...]:
    """Return the trial's turns in their order, up to its end; the trial has ``steps_per_epoch`` steps in an epoch.

    Where ``iterations`` end a schedule of epochs early, later turns are never reached, and part nobody.
    """
    schedule, end = trial.schedule, _end(trial.schedule, steps_per_epoch)
    found = [
        _warmup(schedule, steps_per_epoch),
        *_policy(schedule, steps_per_epoch),
        *_closing(schedule),
        *(_terms(trial, steps_per_epoch) if isinstance(trial.method, Distillation) else ()),
        Turn(schedule.val_interval - 1, f"an evaluation every {_counted(schedule.val_interval, 'epoch')}"),
        end,
    ]
    return tuple(sorted(turn for turn in found if turn.epoch <= end.epoch))


def agreement(one: TrialSpec, other: TrialSpec, steps_per_epoch: int) -> Agreement:
    """Return until when two trials make the same steps and have the same records.

    Both have ``steps_per_epoch`` steps in an epoch. The state of either after these epochs is the other's, but for learning
    rates, which follow from the schedule.
    """
    if one.segment is not None or other.segment is not None:
        return Agreement(0, "segments of a population are trainings of their own")
    if (key := _differing(one, other)) is not None:
        return Agreement(0, f"{key} differs")
    return parting(turns(one, steps_per_epoch), turns(other, steps_per_epoch))


def parting(one: tuple[Turn, ...], other: tuple[Turn, ...]) -> Agreement:
    """Return where the turns of two trials of one root part."""
    for mine, theirs in zip(one, other, strict=False):
        if mine != theirs:
            return Agreement(min(mine.epoch, theirs.epoch), f"{mine.setting} against {theirs.setting}")
    return Agreement(min(found[-1].epoch for found in (one, other)), "nothing parts them")


def parting_epochs(trial: TrialSpec, steps_per_epoch: int) -> tuple[int, ...]:
    """Return the epochs after which other trials may part from this one; the last of them, if any, is where longer ones do."""
    found = {turn.epoch for turn in turns(trial, steps_per_epoch)}
    return tuple(sorted(epoch for epoch in found if epoch))


def _differing(one: TrialSpec, other: TrialSpec) -> str | None:
    """Return the first key in which two roots differ."""
    mine, theirs = (bare(trial).model_dump(mode="json") for trial in (one, other))
    return _first(mine, theirs, "")


def _first(mine: dict[str, Any], theirs: dict[str, Any], where: str) -> str | None:
    for key in {**mine, **theirs}:
        one, other = mine.get(key), theirs.get(key)
        if one == other:
            continue
        inner = _first(one, other, f"{where}{key}.") if isinstance(one, dict) and isinstance(other, dict) else None
        return inner or f"{where}{key}"
    return None


def _warmup(schedule: Schedule, steps_per_epoch: int) -> Turn:
    warmup = schedule.warmup
    steps = warmup.steps(steps_per_epoch)
    return Turn(0, f"a {warmup.shape} warm-up of {steps} steps from {warmup.factor!r}" if steps else "no warm-up")


def _policy(schedule: Schedule, steps_per_epoch: int) -> Iterator[Turn]:
    policy, unit = schedule.policy, schedule.unit
    each = 1 if unit == "iteration" else steps_per_epoch  # steps
    if isinstance(policy, StepPolicy):
        for moment in policy.milestones:
            yield Turn(moment * each // steps_per_epoch, f"milestone {moment} ({unit}s, gamma {policy.gamma!r})")
    elif isinstance(policy, CosinePolicy | FlatCosinePolicy):
        end = schedule.length - (schedule.closing_epochs if isinstance(policy, CosinePolicy) else 0)
        name = f"{policy.kind} from {policy.begin} to {end} ({unit}s, final_factor {policy.final_factor!r})"
        yield Turn(policy.begin * each // steps_per_epoch, name)


def _closing(schedule: Schedule) -> Iterator[Turn]:
    if schedule.closing_epoch is not None:
        yield Turn(schedule.closing_epoch, f"closing epochs from {schedule.closing_epoch}")


def _terms(trial: TrialSpec, steps_per_epoch: int) -> Iterator[Turn]:
    for term in terms_of(trial.method):
        window = window_of(term, trial.schedule, steps_per_epoch)
        rise = f" and a ramp of {window.ramp}" if window.ramp else ""
        yield Turn(window.first // steps_per_epoch, f"{term.kind} from step {window.first}{rise}")
        if window.end is not None:
            yield Turn(window.end // steps_per_epoch, f"{term.kind} until step {window.end}")


def _end(schedule: Schedule, steps_per_epoch: int) -> Turn:
    """Return the end, before the last epoch where that is cut short, or evaluated for no other reason than to be the last."""
    steps = schedule.total_steps(steps_per_epoch)
    epochs, rest = divmod(steps, steps_per_epoch)
    is_usual = not rest and epochs % schedule.val_interval == 0
    return Turn(epochs if is_usual else max(0, (steps - 1) // steps_per_epoch), f"the end after {steps} steps")


def _counted(number: int, noun: str) -> str:
    return noun if number == 1 else f"{number} {noun}s"
