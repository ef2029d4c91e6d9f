"""Hand the state after an epoch on to trials that agree until there, and start from such a state."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from trainers.errors import TrialError
from trainers.formats.weights import read_checkpoint
from trainers.schema.record import Record, best_record, to_record
from trainers.schema.trial import Prefix
from trainers.state.recovery import FORMAT, holds_together
from trainers.state.saving import save_tensors


@dataclass(frozen=True)
class PrefixState:
    """Hold the state that a trial starts from: plain data and tensors, the history up to it, and the best student so far.

    ``best`` is a student checkpoint; ``None`` where no epoch was evaluated.
    """

    content: dict[str, Any]
    history: list[Record]
    best: dict[str, Any] | None


def hand_on(
    path: Path, trial_id: str, state: dict[str, Any], history: list[Record], best: dict[str, Any] | None
) -> None:
    """Write a state with all that other trials need to start from it, atomically; ``state`` is ``TrainState.shared``'s."""
    records = [asdict(record) for record in history]
    save_tensors(path, {"format": FORMAT, "trial": trial_id, "history": records, "best": best, **state}, state["step"])


def read_prefix(prefix: Prefix) -> PrefixState:
    """Read the state that a trial may start from; raise ``TrialError`` where it is gone, damaged or another one."""
    path = Path(prefix.directory) / prefix.file
    if not path.exists():
        raise TrialError(f"{path} is gone")
    if not holds_together(path):
        raise TrialError(f"{path} is damaged")
    content = read_checkpoint(path)
    try:
        history = [to_record(record) for record in content["history"]]
        found = (content["format"], content["trial"], content["step"], history[-1].epoch, history[-1].step)
        best = content["best"]
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise TrialError(f"{path} is no state to start from") from error
    if found != (FORMAT, prefix.trial, prefix.step, prefix.epoch, prefix.step):
        raise TrialError(f"{path} is the state of another trial, epoch or release")
    if (best is None) != (best_record(history) is None):
        raise TrialError(f"{path} lacks the best student")
    return PrefixState(content, history, best)


def as_own(history: list[Record], metrics: list[dict[str, float]], prefix: Prefix, last_step: int) -> list[Record]:
    """Return another trial's history as that of a trial that started from it, with its own ``metrics``.

    The steps have taken the trial no time, and an epoch is the trial's last if its own schedule ends there.
    """
    return [
        replace(
            record,
            metrics=own,
            timing={},
            system={},
            final=record.step == last_step,
            trained_by=record.trained_by or prefix.trial,
        )
        for record, own in zip(history, metrics, strict=True)
    ]
