"""Write a trial's files so that each is whole or absent, and take up a trial from those that are whole."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from trainers.errors import TrialError
from trainers.formats.weights import read_checkpoint
from trainers.schema.atomic import partial_of, remove, write_text
from trainers.schema.manifest import MANIFEST, Manifest, entry_of, write_manifest
from trainers.schema.record import (
    BEST,
    CARRIED,
    CONFIG,
    COUNTS,
    HISTORY,
    LAST,
    OUTCOME,
    PROGRESS,
    WEIGHTS,
    Outcome,
    Record,
    best_record,
    read_history,
    to_lines,
    write_outcome,
)
from trainers.state.event_log import note
from trainers.state.recovery import FORMAT, STATES, Recovery, ResumeState, find_state, holds_together, read_state
from trainers.state.saving import save_tensors

KEPT = 2  # resume states: the second is for when the first turns out to be damaged
OURS = (BEST, CARRIED, CONFIG, COUNTS, HISTORY, LAST, MANIFEST, OUTCOME, PROGRESS, WEIGHTS)
DAMAGED = "damaged checkpoint"
StudentState = Callable[[], dict[str, Any]]


class TrialFiles:
    """Own the directory of one trial.

    The history is part of the resume state: a record is in ``history.jsonl`` only after the state that contains it is
    on disk, so a resumed trial neither repeats nor skips a record. A file counts once the manifest names it, and goes
    once the manifest does not.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self._manifest = Manifest()

    def commit(self, state: dict[str, Any], history: list[Record], best: StudentState | None = None) -> None:
        """Save the resume state with its history, then the student if it is the best so far, then publish the history.

        ``state`` has a ``step``. The result of ``best`` is a function of the state: if this is interrupted after the
        state, resuming repeats it.
        """
        step = state["step"]
        content = {"format": FORMAT, "history": [asdict(record) for record in history], **state}
        entry = save_tensors(self.directory / f"resume-{step}.pt", content, step)
        older = [known for known in self._manifest.states if known.step < step]
        self._list(replace(self._manifest, states=(entry, *older)[:KEPT]))
        if best is not None:
            self.save_student(BEST, best(), step)
        self.publish(history)
        self._remove_unlisted()

    def save_student(self, name: str, content: dict[str, Any], step: int) -> None:
        """Write a student checkpoint under ``name``."""
        self._list(self._manifest.with_student(save_tensors(self.directory / name, content, step)))

    def student(self, name: str) -> dict[str, Any] | None:
        """Return the student checkpoint ``name``, ``None`` unless it is as the manifest describes it."""
        entry = self._manifest.students.get(name)
        return read_checkpoint(self.directory / name) if entry and entry.describes(self.directory) else None

    def find(self) -> Recovery:
        """Return the state to resume from; writes nothing."""
        return find_state(self.directory)

    def read(self, file: str) -> ResumeState:
        """Return the state in ``file``, which another worker has found to be whole."""
        return read_state(self.directory / file)

    def take_up(self, found: Recovery) -> None:
        """Resume from the found state: report damage, and clean up after an earlier process that died here.

        A history beyond the state that was found is cut back to it.
        """
        history = found.state.history if found.state else []
        action = f"go on from step {found.manifest.states[0].step}" if found.state else "train from the beginning"
        damage = found.damage
        if found.state is None and not damage and read_history(self.directory):
            damage = (f"{self.directory} has a history and no state to go on from",)
        if damage:
            note(self.directory, DAMAGED, action, "; ".join(damage))
        self._manifest = found.manifest
        if found.state or damage:
            self._list(found.manifest)
            self.publish(history)
        self._remove_unlisted()
        self._remove_partial()

    def check_best(self, found: Recovery, remake: StudentState | None) -> None:
        """Check whether ``best.pth`` matches the history; recreate it where ``remake`` can.

        Where it cannot, ``best.pth`` stays known as damaged until an epoch beats it.
        """
        best = best_record(found.state.history if found.state else [])
        entry, path = self._manifest.students.get(BEST), self.directory / BEST
        if best is None or (entry and entry.step == best.step and entry.describes(self.directory)):
            return
        if not found.verified and holds_together(path) and _epoch_of(path) == best.epoch:  # nothing speaks against it
            self._list(self._manifest.with_student(entry_of(path, best.step)))
            return
        if remake is not None:
            self.save_student(BEST, remake(), best.step)
            return
        if entry is None or entry.step != best.step:
            self._list(self._manifest.without_student(BEST))
        note(
            self.directory,
            DAMAGED,
            "go on, an epoch that beats it replaces it",
            f"{path} is not that of the best epoch",
        )

    def publish(self, history: list[Record]) -> None:
        """Write the history."""
        write_text(self.directory / HISTORY, to_lines(history))

    def finish(self) -> None:
        """Mark the trial as finished and delete its resume states, which are several times larger than the student."""
        write_outcome(self.directory, Outcome("finished"))
        self._list(replace(self._manifest, states=()))
        self._remove_unlisted()
        remove(self.directory / PROGRESS)

    def show_progress(self, step: int, last_step: int) -> None:
        """Publish the trial's progress; nothing depends on it, so a full disk does not matter."""
        partial = partial_of(self.directory / PROGRESS)
        with contextlib.suppress(OSError):
            partial.write_text(json.dumps({"step": step, "last_step": last_step}))
            partial.replace(self.directory / PROGRESS)

    def report_weights(self, found: dict[str, Any]) -> None:
        """Write which of the student's tensors came from elsewhere, and which did not fit."""
        write_text(self.directory / WEIGHTS, json.dumps(found, indent=1))

    def report_data(self, found: dict[str, Any]) -> None:
        """Write on which images and boxes the trial is trained and evaluated."""
        write_text(self.directory / COUNTS, json.dumps(found, indent=1))

    def _list(self, manifest: Manifest) -> None:
        write_manifest(self.directory, manifest)
        self._manifest = manifest

    def _remove_unlisted(self) -> None:
        listed = {entry.file for entry in self._manifest.states}
        for path in self.directory.glob(STATES):
            if path.name not in listed:
                remove(path)

    def _remove_partial(self) -> None:
        paths = [*self.directory.glob(f".{STATES}.partial"), *(self.directory / f".{name}.partial" for name in OURS)]
        for path in paths:
            remove(path)


def _epoch_of(path: Path) -> Any:
    """Return the epoch recorded in a student's checkpoint, ``None`` without a record."""
    try:
        return read_checkpoint(path)["meta"]["epoch"]
    except (TrialError, KeyError, TypeError):
        return None
