"""Estimate a trial's steps and time: exact counts if the data is present, seconds only if some were measured."""

from dataclasses import dataclass
from pathlib import Path

from orchestrator.plan.training_images import training_images
from trainers.schema import TrialSpec
from trainers.schema.record import read_history, steps_of_others


@dataclass(frozen=True)
class Estimate:
    """Hold a trial's length. ``None`` where nothing is known; ``seconds`` come from the trial's own epochs so far.

    ``epochs`` are passes over the data, the last perhaps not a whole one, where the schedule counts iterations.
    ``shared`` is how many of the steps another trial has made.
    """

    epochs: int | None
    steps: int | None
    seconds: float | None
    shared: int = 0


def estimate(spec: TrialSpec, directory: Path) -> Estimate:
    """Estimate the length of ``spec`` from the dataset and from the trial's directory."""
    per_epoch = steps_per_epoch(spec)
    steps = _steps(spec, per_epoch)
    history = read_history(directory)
    spent = sum(sum(record.timing.values()) for record in history)
    part = spec.segment
    begin = part.from_epoch * (per_epoch or 0) if part else steps_of_others(history)
    done = history[-1].step - begin if history else 0
    epochs = (part.until_epoch - part.from_epoch if part else spec.schedule.epochs) or _passes(steps, per_epoch)
    return Estimate(epochs, steps, spent / done * steps if done and steps else None, steps_of_others(history))


def steps_per_epoch(spec: TrialSpec) -> int | None:
    """Return how many steps an epoch has, ``None`` where the data is not here."""
    images = training_images(spec.dataset)
    return None if images is None else -(-images // spec.schedule.batch_size)


def _steps(spec: TrialSpec, per_epoch: int | None) -> int | None:
    schedule = spec.schedule
    if spec.segment is not None and per_epoch is not None:
        return (spec.segment.until_epoch - spec.segment.from_epoch) * per_epoch
    return schedule.iterations if per_epoch is None else schedule.total_steps(per_epoch)


def _passes(steps: int | None, per_epoch: int | None) -> int | None:
    return -(-steps // per_epoch) if steps is not None and per_epoch else None
