"""Hold runs as a tracking store has them, without a word of MLflow's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from trainers.schema.record import TakenOver


class Latest(NamedTuple):
    """Hold the last value of one metric."""

    value: float
    step: int
    time_s: float


Curve = list[tuple[int, float]]  # (step, value), by step; of points with one step the last written
Curves = dict[str, Curve]  # by metric


@dataclass(frozen=True)
class RecordedRun:
    """Hold one run. Everything but the first line is empty for a run that Stillhouse did not make.

    ``kind`` tells a study's own run from a trial's; ``trial`` is the trial's id, ``outcome`` how it ended. ``studies``
    are the first digits of a study's own fingerprint, or of those of all studies that a trial belongs to; ``part`` tells
    that a study is one of several of its name. ``searched`` are the settings that a study varies, ``point`` holds the
    searched values of a trial's parent, as tables name them; ``None`` where nobody recorded it. ``metric`` is
    the one that a study selects by, empty where nobody recorded it; ``short_of`` names the study that a short one shortens. ``tags`` are the other tags, MLflow's own left out.
    ``prefix`` says who has made a trial's first epochs, where it was another trial.
    ``on_gpu`` is ``None`` where nobody recorded it. Times are seconds since 1970; at ``run_at`` a study was run last.
    """

    run_id: str
    experiment: str
    name: str
    status: str
    started: float | None = None
    ended: float | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Latest] = field(default_factory=dict)
    description: str = ""
    parent: str = ""
    studies: tuple[str, ...] = ()
    run_at: float | None = None
    searched: tuple[str, ...] | None = None
    point: str | None = None
    metric: str = ""
    short_of: str = ""
    part: bool = False
    kind: Literal["study", "trial", ""] = ""
    study: str = ""
    trial: str = ""
    role: str = ""
    method: str = ""
    outcome: str = ""
    reason: str = ""
    data: str = ""
    planned: int | None = None
    devices: int | None = None
    on_gpu: bool | None = None
    experiment_id: str = ""
    events: Sequence[Mapping[str, Any]] = ()
    prefix: TakenOver | None = None


class TrackingStore(Protocol):
    """Read a tracking store. All calls may be slow, and raise ``OperationError`` when the store does not answer."""

    @property
    def source(self) -> str:
        """Return the store's address, without secrets."""

    def runs(self) -> list[RecordedRun]:
        """Return all runs that are not deleted."""

    def curves(self, runs: Sequence[RecordedRun]) -> dict[str, Curves]:
        """Return every point of every metric of these runs, by run id."""

    def notes(self, runs: Sequence[RecordedRun]) -> list[str]:
        """Return sentences about trials that are known elsewhere and not among these runs, and how they come back."""
