"""Train a part of a schedule, and hand its final state to the trial that continues from there."""

from pathlib import Path
from typing import Any

from trainers.errors import TrialError
from trainers.formats.weights import read_checkpoint
from trainers.schema import TrialSpec
from trainers.schema.manifest import read_manifest
from trainers.schema.record import CARRIED, DamagedFile
from trainers.schema.trial import ParentTrial
from trainers.state.recovery import FORMAT
from trainers.state.train_state import ADDED


def last_step(trial: TrialSpec, steps_per_epoch: int) -> int:
    """Return the step that a trial ends with: its schedule's last, or its segment's."""
    whole = trial.schedule.total_steps(steps_per_epoch)
    return whole if trial.segment is None else min(whole, trial.segment.until_epoch * steps_per_epoch)


def carried_state(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state that another trial continues from: ``state`` is ``TrainState.shared``'s."""
    keys = ("step", "student", "average", "optimizer", *(key for key in ADDED if key in state))
    return {"format": FORMAT, **{key: state[key] for key in keys}}


def read_carried_state(parent: ParentTrial) -> dict[str, Any]:
    """Return the state that a trial has ended with.

    Raise ``TrialError`` when it is missing or has changed since it was written.
    """
    directory = Path(parent.directory)
    path = directory / CARRIED
    try:
        manifest = read_manifest(directory)
    except DamagedFile as error:
        raise TrialError(f"{error}: delete {directory} and run again") from error
    entry = manifest.students.get(CARRIED) if manifest else None
    if entry is None or not entry.describes(directory):
        raise TrialError(f"{path} is gone or damaged, there is nothing to go on from: delete {directory} and run again")
    content = read_checkpoint(path)
    if content.get("format") != FORMAT:
        raise TrialError(f"{path} has format {content.get('format')}, this release reads {FORMAT}")
    return content
