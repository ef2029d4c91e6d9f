"""Follow the records of trials on disk: nothing goes back, nothing is there twice, nothing is missing."""

import json
import os
from pathlib import Path
from typing import Any

from tests.simulation.kernel import Violation, active
from tests.simulation.training import EPOCHS, score
from trainers.schema.record import HISTORY, OUTCOME, SELECTION_METRIC

OVER = ("finished", "stopped")


class Records:
    """Hold what was last seen of each trial's history and outcome."""

    def __init__(self, trials: str) -> None:
        self._trials = trials
        self.epochs: dict[str, int] = {}
        self.outcomes: dict[str, str] = {}

    def __call__(self, change: str, path: str) -> None:
        folder, name = os.path.split(path)
        if os.path.dirname(folder) != self._trials or name not in (HISTORY, OUTCOME):  # noqa: PTH120
            return
        try:
            self._see(os.path.basename(folder), name, change, path)  # noqa: PTH119
        except Violation as error:
            active().violate(str(error))

    def _see(self, trial: str, name: str, change: str, path: str) -> None:
        if name == HISTORY:
            self._see_history(trial, change, path)
        else:
            self._see_outcome(trial, change, path)

    def _see_history(self, trial: str, change: str, path: str) -> None:
        if change not in ("rename", "replace"):
            raise Violation(f"{trial}: its history is gone ({change})")
        found = [json.loads(line) for line in Path(path).read_text().splitlines()]
        before = self.epochs.get(trial, 0)
        if len(found) < before:
            raise Violation(f"{trial}: its history went back from {before} to {len(found)} epochs")
        if len(found) > before and self.outcomes.get(trial) in OVER:
            raise Violation(f"{trial} is {self.outcomes[trial]} and goes on")
        require_epochs(trial, found)
        self.epochs[trial] = len(found)

    def _see_outcome(self, trial: str, change: str, path: str) -> None:
        gone = change not in ("rename", "replace")
        status = "" if gone else str(json.loads(Path(path).read_text())["status"])
        before = self.outcomes.get(trial, "")
        if before in OVER and status != before:
            raise Violation(f"{trial} was {before} and is {status or 'unfinished'}")
        self.outcomes[trial] = status


def require_epochs(trial: str, found: list[dict[str, Any]]) -> None:
    """Raise ``Violation`` unless a history has each epoch once, in order, with the numbers of an undisturbed training."""
    for epoch, record in enumerate(found, start=1):
        if record["epoch"] != epoch:
            raise Violation(f"{trial}: epoch {record['epoch']} stands in the place of {epoch}")
        if record["metrics"][SELECTION_METRIC] != score(trial, epoch):
            raise Violation(f"{trial}: epoch {epoch} has other numbers than undisturbed")
    if len(found) > EPOCHS:
        raise Violation(f"{trial} has {len(found)} epochs")
