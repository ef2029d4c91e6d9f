"""Record in the store which studies it was used for, and which trials belong to them."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial
from trainers.schema.atomic import write_text
from trainers.schema.foreign_json import parse_json

ADDED = ".added"  # beside a study's list: the trials that a search has come to since that was written, one a line
TRIAL = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")


class TrialsRecorder:
    """Watch trials, and keep the list of a study's trials in the store, for the length of a block.

    The whole list is written once; a search adds to it by a line for each trial, from a thread of its own.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self._path = store.studies / f"{plan.fingerprint[:ID_LENGTH]}.json"
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="trials-recorder")
        trials = sorted({trial.id for trial in plan.trials})
        content = {"study": plan.study.name, "fingerprint": plan.fingerprint, "trials": trials}
        with suppress(OSError):  # training meets the same obstacle, and says so
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self._path, json.dumps(content, indent=1))
            self._path.with_suffix(ADDED).unlink(missing_ok=True)

    def __enter__(self) -> "TrialsRecorder":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.shutdown()

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search."""
        self._writer.submit(self._add, trial.id)

    def started(self, trial_id: str) -> None:
        """Handle the start of a trial."""

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Handle a record."""

    def ended(self, trial_id: str) -> None:
        """Handle the end of a trial's records."""

    def _add(self, trial_id: str) -> None:
        with suppress(OSError), self._path.with_suffix(ADDED).open("a") as lines:
            lines.write(f"{trial_id}\n")


def recorded_trials(store: Store) -> set[str] | None:
    """Return the trials of all studies that were run in the store, ``None`` where none is recorded.

    Raises ``ValueError`` for a damaged record: what it lists is not known.
    """
    records = list(_records(store.studies))
    added = {line for path in store.studies.glob(f"*{ADDED}") for line in path.read_text(errors="replace").split()}
    known = {trial for record in records for trial in record["trials"]} | set(filter(TRIAL.fullmatch, added))
    return known if records else None


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.json")):
        try:
            content = parse_json(path.read_text())
            yield {"trials": [str(trial) for trial in content["trials"]]}
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path} is damaged: run its study again, which writes it anew") from error
