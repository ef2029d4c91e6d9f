"""Describe one trial of a plan."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from orchestrator.plan.estimate import Estimate
from orchestrator.plan.labels import row_name
from trainers.schema import TrialSpec
from trainers.schema.record import read_status
from trainers.schema.request import Request, is_paused, read_request
from trainers.schema.status import Status, is_over
from trainers.schema.trial import Prefix

ID_LENGTH = 12  # hexadecimal digits: 48 bits, no clash among millions of trials
Role = Literal["teacher", "student"]
PAUSED = "paused"
TrialStatus = Literal[Status, "paused"]


@dataclass(frozen=True)
class PlannedTrial:
    """Hold one trial of a plan. ``params`` are the searched keys and their values; ``directory`` is its own.

    ``inputs`` are the files of its detectors that its id stands for, by their SHA-256. ``is_baseline`` marks the trials
    that ``search.baseline`` adds. ``teacher`` is the trial of a student's teacher, unless that has random weights. ``prefix``
    is the state of another trial that it can start from, ``hands_on`` the files of its own states for others, by the epochs
    after which they are written.
    """

    id: str
    role: Role
    spec: TrialSpec
    params: dict[str, JsonValue]
    directory: Path
    status: TrialStatus
    estimate: Estimate
    inputs: dict[str, str] = field(default_factory=dict, compare=False, repr=False)
    is_baseline: bool = field(default=False, compare=False, repr=False)
    teacher: str | None = field(default=None, compare=False, repr=False)
    prefix: Prefix | None = field(default=None, compare=False, repr=False)
    hands_on: dict[int, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Return the name of the trial's row: the teacher, or the method, and the searched values."""
        return row_name(self.role, self.spec.method.kind, self.params)


def status_of(directory: Path) -> TrialStatus:
    """Return where a trial stands: by its record, or paused where its user has it wait."""
    return "paused" if is_paused(directory) else read_status(directory)


def refreshed(trial: PlannedTrial) -> PlannedTrial:
    """Return ``trial`` with its present state."""
    return replace(trial, status=status_of(trial.directory))


def is_asked_to_go_on(trial: PlannedTrial) -> bool:
    """Return whether a trial that is not over was asked to go on, or to be tried again, and no run has started it since."""
    asked = read_request(trial.directory) in (Request.RESUME, Request.RETRY)
    return asked and not is_over(status_of(trial.directory))
