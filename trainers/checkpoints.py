"""Write and read a trial's files so that each is whole or absent: resume state, student, history, outcome."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from trainers.errors import TrialError
from trainers.spec.atomic import write_atomically, write_text
from trainers.spec.record import HISTORY, PROGRESS, RESUME, WEIGHTS, Outcome, Record, to_lines, write_outcome
from trainers.weights import read_checkpoint

FORMAT = 1


class TrialFiles:
    """Own the directory of one trial.

    The history is part of the resume state: a record is in ``history.jsonl`` only after the state that contains it is
    on disk, so a resumed trial neither repeats nor skips a record.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    def commit(self, state: dict[str, Any], history: list[Record]) -> None:
        """Save the resume state with its history, then publish the history."""
        content = {"format": FORMAT, "history": [asdict(record) for record in history], **state}
        self._save(RESUME, content)
        self.publish(history)

    def save_student(self, name: str, content: dict[str, Any]) -> None:
        """Write a student checkpoint under ``name``."""
        self._save(name, content)

    def resume(self) -> tuple[dict[str, Any], list[Record]] | None:
        """Return the last committed state and its history, or ``None`` for a new trial; writes nothing."""
        path = self.directory / RESUME
        if not path.exists():
            return None
        content = read_checkpoint(path)
        if content.get("format") != FORMAT:
            raise TrialError(f"{path} has format {content.get('format')}, this release reads {FORMAT}: delete it")
        return content, [Record(**record) for record in content["history"]]

    def publish(self, history: list[Record]) -> None:
        """Write the history of a resumed trial: its writer may have died between the state and this file."""
        write_text(self.directory / HISTORY, to_lines(history))

    def finish(self) -> None:
        """Mark the trial as finished and delete its resume state, which is several times larger than the student."""
        write_outcome(self.directory, Outcome("finished"))
        (self.directory / RESUME).unlink(missing_ok=True)
        (self.directory / PROGRESS).unlink(missing_ok=True)

    def show_progress(self, step: int, last_step: int) -> None:
        """Tell whoever watches how far the trial is; nothing depends on it."""
        content = json.dumps({"step": step, "last_step": last_step})
        partial = self.directory / f".{PROGRESS}.partial"
        partial.write_text(content)
        partial.replace(self.directory / PROGRESS)

    def report_weights(self, found: dict[str, Any]) -> None:
        """Write which of the student's tensors came from elsewhere, and which did not fit."""
        write_text(self.directory / WEIGHTS, json.dumps(found, indent=1))

    def _save(self, name: str, content: dict[str, Any]) -> None:
        write_atomically(self.directory / name, lambda path: torch.save(content, path))
