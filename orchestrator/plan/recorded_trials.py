"""Record in the store which studies it was used for, and which trials belong to them."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial
from trainers.schema.atomic import write_text
from trainers.schema.foreign_json import parse_json


class TrialsRecorder:
    """Watch trials, and keep the list of a study's trials in the store: a search adds to it."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._path = plan, store.studies / f"{plan.fingerprint[:ID_LENGTH]}.json"
        self._write()

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search, which the plan has by now."""
        self._write()

    def started(self, trial_id: str) -> None:
        """Handle the start of a trial."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Handle a record."""

    def ended(self, trial_id: str) -> None:
        """Handle the end of a trial's records."""

    def _write(self) -> None:
        trials = sorted({trial.id for trial in self._plan.trials})
        content = {"study": self._plan.study.name, "fingerprint": self._plan.fingerprint, "trials": trials}
        with suppress(OSError):  # training meets the same obstacle, and says so
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, json.dumps(content, indent=1))


def recorded_trials(store: Store) -> set[str] | None:
    """Return the trials of all studies that were run in the store, ``None`` where none is recorded.

    Raises ``ValueError`` for a damaged record: what it lists is not known.
    """
    records = list(_records(store.studies))
    return {trial for record in records for trial in record["trials"]} if records else None


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        try:
            content = parse_json(path.read_text())
            yield {"trials": [str(trial) for trial in content["trials"]]}
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is damaged: run its study again, which writes it anew") from error
