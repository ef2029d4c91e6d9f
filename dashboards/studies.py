"""Sort runs into studies, and find what the trials of a study mostly agree in and what they vary."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.snapshot.recorded import RecordedRun

NOT_SEARCHED = ("seed", "dataset.root", "teacher.", "method.kind")


@dataclass
class StudyRuns:
    """Hold a study: its own run where it has one, and its trials'."""

    id: str
    name: str
    own: RecordedRun | None
    trials: list[RecordedRun] = field(default_factory=list)

    @cached_property
    def usual(self) -> dict[str, str]:
        """Return the settings that more than half of the trials have."""
        return usual_settings([trial.params for trial in self.trials])

    @cached_property
    def searched(self) -> tuple[str, ...]:
        """Return the settings in which distilled students differ, the seed and the teacher left out."""
        settings = [t.params for t in self.trials if t.role != "teacher" and method_of(t) != "none"]
        return tuple(key for key in varying_settings(settings) if not key.startswith(NOT_SEARCHED))


def sort_into_studies(runs: Sequence[RecordedRun]) -> list[StudyRuns]:
    """Return studies in the order of their start.

    A run belongs to its parent's study, without a parent to its experiment. Parents are no trials, and neither is an
    empty run of a trial that has another one in the same study.
    """
    by_id = {run.run_id: run for run in runs}
    parents = {run.parent for run in runs if run.parent in by_id}
    found: dict[str, StudyRuns] = {}
    for run in runs:
        if run.run_id in parents or run.kind == "study":
            found[run.run_id] = StudyRuns(run.run_id, run.study or run.name, run)
    for run in runs:
        if run.run_id not in found:
            name = _study_of(run, found)
            found.setdefault(name, StudyRuns(name, run.study or run.experiment, None)).trials.append(run)
    for study in found.values():
        study.trials = list(_without_ghosts(study.trials))
    return list(found.values())


def method_of(run: RecordedRun) -> str:
    """Return the kind of method that a run records, empty where it records none."""
    return run.method or run.params.get("method.kind", "")


def usual_settings(settings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the keys and values that more than half of these settings have."""
    times = Counter(item for one in settings for item in one.items())
    return dict(sorted(item for item, count in times.items() if 2 * count > len(settings)))


def unusual_settings(settings: Mapping[str, str], usual: Mapping[str, str]) -> dict[str, str | None]:
    """Return what has to be laid over ``usual`` to get ``settings``: ``None`` takes a key away."""
    own = {key: value for key, value in settings.items() if usual.get(key) != value}
    return own | {key: None for key in usual if key not in settings}


def varying_settings(settings: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the keys that have several values, sorted; a key that some lack does not vary for that alone."""
    values: dict[str, set[str]] = {}
    for one in settings:
        for key, value in one.items():
            values.setdefault(key, set()).add(value)
    return sorted(key for key, found in values.items() if len(found) > 1)


def _study_of(run: RecordedRun, studies: Mapping[str, StudyRuns]) -> str:
    if run.parent in studies:
        return run.parent
    return f"{run.experiment}/{run.study}" if run.study else run.experiment


def _without_ghosts(trials: list[RecordedRun]) -> Iterable[RecordedRun]:
    """Leave out what a request that was carried out late has created: an empty run of a trial that has another."""
    filled = {run.trial for run in trials if run.params or run.metrics}
    return [run for run in trials if run.params or run.metrics or run.trial not in filled]
