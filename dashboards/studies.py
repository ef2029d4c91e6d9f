"""Sort runs into studies, and find the settings that a study's trials share and those that they vary."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from orchestrator.tracking.history.recorded import RecordedRun

NOT_SEARCHED = (
    "seed",
    "dataset.root",
    "teacher.",
    "method.kind",
)  # of importance, and of studies that did not record it


@dataclass
class StudyRuns:
    """Hold a study: its own run where it has one, and its trials'. ``older`` has been run in another version since."""

    id: str
    name: str
    own: RecordedRun | None
    trials: list[RecordedRun] = field(default_factory=list)
    older: bool = False

    @cached_property
    def usual(self) -> dict[str, str]:
        """Return the settings that more than half of the trials have."""
        return usual_settings([trial.params for trial in self.trials])

    @cached_property
    def searched(self) -> tuple[str, ...]:
        """Return the settings that the study varies on purpose, the seed left out.

        Where it did not record them they are those in which its distilled students differ, but for the data and the teacher.
        """
        if self.own is not None and self.own.searched is not None:
            return tuple(key for key in self.own.searched if key not in ("seed", "method.kind"))
        settings = [t.params for t in self.trials if t.role != "teacher" and method_of(t) != "none"]
        return tuple(key for key in varying_settings(settings) if not key.startswith((*NOT_SEARCHED, "dataset.")))


def sort_into_studies(runs: Sequence[RecordedRun]) -> list[StudyRuns]:
    """Return studies in the order of their start.

    A trial belongs to each study that has recorded or read it; other runs belong to their parent's study, without a
    parent to their experiment. Parents are no trials, and neither is an empty run of a trial that has another one in the
    same study. Of the studies of one name in an experiment, the one that was run last is the present version.
    """
    by_id = {run.run_id: run for run in runs}
    parents = {run.parent for run in runs if run.parent in by_id}
    found: dict[str, StudyRuns] = {}
    for run in runs:
        if run.run_id in parents or run.kind == "study":
            found[run.run_id] = StudyRuns(run.run_id, run.study or run.name, run)
    versions = {(run.experiment, *run.studies): run.run_id for run in reversed(runs) if run.kind == "study"}
    for run in runs:
        if run.run_id not in found:
            for name in _studies_of(run, found, versions):
                found.setdefault(name, StudyRuns(name, run.study or run.experiment, None)).trials.append(run)
    for study in found.values():
        study.trials = list(_without_ghosts(study.trials))
    _mark_older(found.values())
    return list(found.values())


def method_of(run: RecordedRun) -> str:
    """Return the kind of method that a run records, empty where it records none."""
    return run.method or run.params.get("method.kind", "")


def usual_settings(settings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the keys and values that more than half of these settings have."""
    times = Counter(item for one in settings for item in one.items())
    return dict(sorted(item for item, count in times.items() if 2 * count > len(settings)))


def unusual_settings(settings: Mapping[str, str], usual: Mapping[str, str]) -> dict[str, str | None]:
    """Return the difference that, merged over ``usual``, gives ``settings``: ``None`` takes a key away."""
    own = {key: value for key, value in settings.items() if usual.get(key) != value}
    return own | {key: None for key in usual if key not in settings}


def varying_settings(settings: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the keys that have several values, sorted; a key that some lack does not vary for that alone."""
    values: dict[str, set[str]] = {}
    for one in settings:
        for key, value in one.items():
            values.setdefault(key, set()).add(value)
    return sorted(key for key, found in values.items() if len(found) > 1)


def _studies_of(
    run: RecordedRun, found: Mapping[str, StudyRuns], versions: Mapping[tuple[str, ...], str]
) -> Iterable[str]:
    """Return the ids of the studies that a run belongs to; ``versions`` has those with a fingerprint by experiment."""
    homes = [versions[key] for study in run.studies if (key := (run.experiment, study)) in versions]
    if run.parent in found:
        homes.append(run.parent)
    return dict.fromkeys(homes) or (f"{run.experiment}/{run.study}" if run.study else run.experiment,)


def _mark_older(studies: Iterable[StudyRuns]) -> None:
    """Mark the studies that were run again in another version: same name, same experiment, other trials."""
    versions: dict[tuple[str, str], list[StudyRuns]] = {}
    for study in studies:
        if study.own is not None and study.own.kind == "study" and not study.own.part and study.trials:
            versions.setdefault((study.own.experiment, study.name), []).append(study)
    for alike in versions.values():
        for study in sorted(alike, key=run_at)[:-1]:
            study.older = True


def run_at(study: StudyRuns) -> tuple[float, float]:
    """Return when a study was run last; earlier releases recorded only when it was run first."""
    started = (study.own.started if study.own else None) or 0.0
    return (study.own.run_at if study.own else None) or started, started


def _without_ghosts(trials: list[RecordedRun]) -> Iterable[RecordedRun]:
    """Leave out empty runs of trials that have another run: a request that MLflow carried out late creates them."""
    filled = {run.trial for run in trials if run.params or run.metrics}
    return [run for run in trials if run.params or run.metrics or run.trial not in filled]
