"""Gather trials into rows, and compare the rows: mean, spread, baseline, gain, rank and best."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Generic, Literal, TypeVar

from orchestrator.results.comparability import (
    Comparable,
    is_augmentation,
    searches_teacher,
    teacher_of,
    teacher_trial,
    without_repeats,
)
from orchestrator.results.ranking import Pooled, pooled, ranks
from orchestrator.results.sample import Sample, sample_of
from orchestrator.results.trial import Trial, counts
from orchestrator.study.selection import merit

T = TypeVar("T", bound=Trial)
RowKind = Literal["teacher", "baseline", "distilled"]
NOT_IDENTITY = ("seed", "dataset.", "teacher.")  # the seed, where files are, and what the rows of a group share


@dataclass(frozen=True)
class Row(Generic[T]):
    """Hold trials that differ in the seed only."""

    kind: RowKind
    trials: tuple[T, ...]

    @property
    def first(self) -> T:
        """Return the trial that stands for the row's settings."""
        return self.trials[0]

    @property
    def metric(self) -> str:
        """Return the metric that the row is judged by."""
        return self.first.metric

    @cached_property
    def counted(self) -> tuple[T, ...]:
        """Return the trials behind the row's numbers."""
        return tuple(trial for trial in self.trials if counts(trial))

    @cached_property
    def others(self) -> tuple[T, ...]:
        """Return the trials that are shown beside the row: not final, or without a number."""
        return tuple(trial for trial in self.trials if not counts(trial))

    @cached_property
    def score(self) -> Sample | None:
        """Return mean and spread of the selection metric."""
        return self.sample(self.metric)

    @property
    def merit(self) -> Sample | None:
        """Return the same so that higher is better."""
        return replace(self.score, mean=merit(self.metric, self.score.mean)) if self.score else None

    @cached_property
    def samples(self) -> Mapping[str, Sample]:
        """Return mean and spread of every metric at the best epochs."""
        keys = sorted({key for trial in self.counted for key in trial.best})
        found = {key: self.sample(key) for key in keys}
        return {key: sample for key, sample in found.items() if sample is not None}

    def sample(self, metric: str) -> Sample | None:
        """Return mean and spread of a metric at the best epochs of the trials that count."""
        return sample_of(trial.best.get(metric) for trial in self.counted)

    def last_sample(self, metric: str) -> Sample | None:
        """Return the same at the last evaluation."""
        return sample_of(trial.last.get(metric) for trial in self.counted)

    @cached_property
    def identity(self) -> object:
        """Return the settings that tell the row from others of its group; without any the trial stands for itself."""
        return identity_of(self.first)


@dataclass(frozen=True)
class RankedRow(Generic[T]):
    """Hold a row with all that follows from comparing it within its group.

    ``baseline`` is the row of the same student trained alone, ``gain`` the difference of means to it (of AP a fraction),
    ``rank`` 1 for the best, ``interval`` the 95 % confidence interval of the mean, ``gain_margin`` half of the gain's.
    ``teacher`` is the row of the teacher. Each is ``None`` where it is not known; a row without a trial that counts has
    none of them.
    """

    row: Row[T]
    group: str
    baseline: Row[T] | None = None
    teacher: Row[T] | None = None
    rank: int | None = None
    interval: tuple[float, float] | None = None
    gain_margin: float | None = None

    @property
    def gain_interval(self) -> tuple[float, float] | None:
        """Return the 95 % confidence interval of the gain."""
        if self.gain is None or self.gain_margin is None:
            return None
        return self.gain - self.gain_margin, self.gain + self.gain_margin

    @property
    def gain(self) -> float | None:
        """Return the difference of the mean to that of the student trained alone."""
        own, alone = self.row.score, self.baseline.score if self.baseline else None
        return own.mean - alone.mean if own and alone else None

    @property
    def gap_closed(self) -> float | None:
        """Return the gain as a share of the teacher's lead over the student alone, ``None`` where the teacher has none."""
        own, alone, taught = (row.merit if row else None for row in (self.row, self.baseline, self.teacher))
        if own is None or alone is None or taught is None or taught.mean <= alone.mean:
            return None
        return (own.mean - alone.mean) / (taught.mean - alone.mean)


def ranked_rows(group: Comparable[T]) -> list[RankedRow[T]]:
    """Return the rows of a group, compared: teachers, students alone, distilled ones, each in order of appearance."""
    kinds: list[tuple[RowKind, Sequence[T]]] = [
        ("teacher", group.teachers), ("baseline", group.baselines), ("distilled", group.distilled),
    ]  # fmt: skip
    rows = [row for kind, trials in kinds for row in _rows(kind, trials)]
    scored = [row for row in rows if row.kind != "teacher" and row.score is not None]
    samples = [row.merit for row in scored if row.merit is not None]
    common, places = pooled(samples), ranks(samples)
    ranked = {id(row): place for row, place in zip(scored, places or (), strict=False)}
    baselines = [row for row in rows if row.kind == "baseline"]
    teachers = [row for row in rows if row.kind == "teacher"]
    return [
        _compared(row, group.id, (baseline_of(row, baselines), _teacher(row, teachers)), ranked.get(id(row)), common)
        for row in rows
    ]


def row_of(trial: T, groups: Iterable[Comparable[T]]) -> RankedRow[T] | None:
    """Return the row that a trial stands in, compared within the first group that holds it."""
    found = (ranked for group in groups if any(one is trial for one in group.members) for ranked in ranked_rows(group))
    return next((ranked for ranked in found if any(one is trial for one in ranked.row.trials)), None)


def baseline_of(row: Row[T], baselines: Sequence[Row[T]]) -> Row[T] | None:
    """Return the student trained alone at the row's student and schedule, else the only one of that student.

    None of another augmentation: a gain over it would be partly that of the augmentation.
    """
    if row.kind != "distilled":
        return None
    alike = [
        other
        for other in baselines
        if _settings(other, "student.") == _settings(row, "student.") and _augmentation(other) == _augmentation(row)
    ]
    exact = [other for other in alike if _settings(other, "schedule.") == _settings(row, "schedule.")]
    if exact:
        return exact[0]
    return alike[0] if len(alike) == 1 else None


def best_of(trials: Iterable[T]) -> T | None:
    """Return the student with the best metric among those that count, of equals the one with the smallest id.

    An AP of 0.0 counts like any other.
    """
    found = [trial for trial in trials if trial.role != "teacher" and counts(trial)]
    return min(found, key=lambda trial: (-merit(trial.metric, trial.best[trial.metric]), trial.id), default=None)


def identity_of(trial: Trial) -> object:
    """Return the settings that tell a trial's row from others of its group."""
    if trial.role == "teacher" and searches_teacher(trial):
        return trial.id
    settings = tuple(sorted((k, v) for k, v in trial.settings.items() if not k.startswith(NOT_IDENTITY)))
    return (*settings, *sorted(_searched(trial).items())) or trial.id


def _searched(trial: Trial) -> dict[str, str]:
    """Return the searched augmentation and teacher of a trial: the rows of a group that does not share them differ in them."""
    found = {k: v for k, v in trial.settings.items() if is_augmentation(k, trial.searched)}
    if searches_teacher(trial) and trial.method != "none":
        found |= {k: v for k, v in trial.settings.items() if k.startswith("teacher.detector.")}
        found["teacher"] = teacher_trial(trial.settings) or teacher_of(trial.settings)
    return found


def _compared(
    row: Row[T],
    group: str,
    beside: tuple[Row[T] | None, Row[T] | None],
    rank: int | None,
    common: Pooled | None,
) -> RankedRow[T]:
    """Return a row with its rank, its interval and the rows ``beside`` it: the student alone, and the teacher."""
    baseline, teacher = beside
    own, alone = None if row.kind == "teacher" else row.score, baseline.score if baseline else None
    interval = common.interval(own) if common and own else None
    margin = common.margin(own, alone) if common and own and alone else None
    return RankedRow(row, group, baseline, None if row.kind == "teacher" else teacher, rank, interval, margin)


def _rows(kind: RowKind, trials: Sequence[T]) -> list[Row[T]]:
    found: dict[object, list[T]] = {}
    for trial in without_repeats(trials):
        found.setdefault(identity_of(trial), []).append(trial)
    return [Row(kind, tuple(group)) for group in found.values()]


def _teacher(row: Row[T], teachers: Sequence[Row[T]]) -> Row[T] | None:
    """Return the row of a row's own teacher; where that is not known, the only one that has a number."""
    name = teacher_trial(row.first.settings)
    own = next((other for other in teachers if any(trial.id == name for trial in other.trials)), None)
    scored = [other for other in teachers if other.score]
    found = own if own else scored[0] if scored and not searches_teacher(row.first) else None
    return found if found and found.score else None


def _augmentation(row: Row[T]) -> dict[str, str]:
    return {k: v for k, v in row.first.settings.items() if is_augmentation(k, row.first.searched)}


def _settings(row: Row[T], prefix: str) -> dict[str, str]:
    return {key: value for key, value in row.first.settings.items() if key.startswith(prefix)}
