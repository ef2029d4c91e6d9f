"""Describe one trial of a plan."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from orchestrator.plan.estimate import Estimate
from orchestrator.plan.labels import point_text
from trainers.schema import TrialSpec
from trainers.schema.record import read_status
from trainers.schema.status import Status

ID_LENGTH = 12  # hexadecimal digits: 48 bits, no clash among millions of trials
Role = Literal["teacher", "student"]


@dataclass(frozen=True)
class PlannedTrial:
    """Hold one trial of a plan. ``params`` are the searched keys and their values; ``directory`` is its own.

    ``inputs`` are the files of its detectors that its id stands for, by their SHA-256.
    """

    id: str
    role: Role
    spec: TrialSpec
    params: dict[str, JsonValue]
    directory: Path
    status: Status
    estimate: Estimate
    inputs: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Return the name of the trial's row: the teacher, or the method and its searched values."""
        return "teacher" if self.role == "teacher" else f"{self.spec.method.kind} {point_text(self.params)}".strip()


def refreshed(trial: PlannedTrial) -> PlannedTrial:
    """Return ``trial`` with its present state."""
    return replace(trial, status=read_status(trial.directory))
