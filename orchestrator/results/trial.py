"""Decide which trials count in means, ranks and gains; every surface uses this rule."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from orchestrator.core.numbers import is_number
from orchestrator.results.metric_names import written

NOT_A_NUMBER, NOT_FINAL = "failed measurement", "not final"


class Trial(Protocol):
    """Describe one trial to the statistics, wherever it was read: from a plan's results or from a tracking store.

    ``settings`` are dotted keys and texts, as MLflow holds them; ``searched`` are the settings that its study varies on
    purpose. ``best`` holds the metrics of the best epoch, ``last`` those of the last evaluation. ``study`` tells studies
    apart, ``data`` is the data's digest; both may be empty. ``metric`` is the one that trials are judged by.
    """

    @property
    def id(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def method(self) -> str: ...

    @property
    def is_finished(self) -> bool: ...

    @property
    def epoch(self) -> int | None: ...

    @property
    def settings(self) -> Mapping[str, str]: ...

    @property
    def searched(self) -> Sequence[str]: ...

    @property
    def best(self) -> Mapping[str, float]: ...

    @property
    def last(self) -> Mapping[str, float]: ...

    @property
    def study(self) -> str: ...

    @property
    def data(self) -> str: ...

    @property
    def metric(self) -> str: ...


def is_final(trial: Trial) -> bool:
    """Return whether a trial was trained to the end of its schedule, as planned.

    One that failed, was stopped by a scheduler or has not ended was measured at a part of its length. So was a segment
    of a population that ends before the schedule does, although it is finished.
    """
    return trial.is_finished and not _is_part(trial.settings)


def counts(trial: Trial) -> bool:
    """Return whether a trial's result can be the best, enter a mean, be ranked or be a baseline."""
    return is_final(trial) and is_number(trial.best.get(trial.metric))


def lacks_metric(trial: Trial) -> bool:
    """Return whether a trial was trained to its end and never had the metric: a term's loss, a size without boxes."""
    return is_final(trial) and trial.metric not in trial.best and trial.metric not in trial.last


def failed_measurement(trial: Trial) -> bool:
    """Return whether a trial was trained to its end and its metric is no number."""
    return is_final(trial) and not counts(trial) and not lacks_metric(trial)


def mark_of(trial: Trial) -> str:
    """Return the words that mark a trial that does not count, beside its name; nothing for one that does."""
    if counts(trial):
        return ""
    if lacks_metric(trial):
        return f"no {written(trial.metric)}"
    return NOT_A_NUMBER if is_final(trial) else NOT_FINAL


def shown_values(trial: Trial) -> Mapping[str, float]:
    """Return the numbers to show of a trial: of its best epoch where it was trained to its end and has one, else its last.

    So a trial that lacks the metric stands beside the others with the numbers of the same epoch, the best one.
    """
    return (is_final(trial) and trial.best) or trial.last


def _is_part(settings: Mapping[str, str]) -> bool:
    until, epochs = (settings.get(key, "") for key in ("segment.until_epoch", "schedule.epochs"))
    return until.isdecimal() and epochs.isdecimal() and int(until) < int(epochs)
