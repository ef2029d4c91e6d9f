"""Decide which points of a trial MLflow lacks, and in which portions they travel."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from orchestrator.plan.split_scores import SplitScores
from trainers.schema.record import Record, best_record

WORKERS = "workers"  # of an elastic trial, their mean number over the epoch
EPOCH = "epoch"  # logged with every record: where it stands, the record stands
BEST_PREFIX = "best/"
TEST_PREFIX = "test/"  # metrics on the test split, measured once when everything is chosen
PORTION = 1000  # points, MLflow's limit for one request
REFUSED_CHARACTERS = re.compile(r"[^\w./ :-]")  # by MLflow, in the name of a metric


class MetricPoint(NamedTuple):
    """Hold one value of one metric. Its time is the record's, so the same point is the same whenever it is sent."""

    key: str
    value: float
    timestamp_ms: int
    step: int


def points_of(history: Iterable[Record]) -> Iterator[MetricPoint]:
    """Yield all points of a history, oldest record first."""
    for record in history:
        values = {EPOCH: float(record.epoch), **record.metrics, **record.timing, **record.system}
        if record.workers is not None:
            values[WORKERS] = record.workers
        yield from _points(record, values)


def best_points(history: list[Record]) -> Iterator[MetricPoint]:
    """Yield the best record's metrics under names of their own, at the step of that record."""
    best = best_record(history)
    if best is not None:
        values = {**best.metrics, EPOCH: float(best.epoch)}
        yield from _points(best, {f"{BEST_PREFIX}{key}": value for key, value in values.items()})


def test_points(scores: SplitScores, logged: Mapping[str, int]) -> list[MetricPoint]:
    """Return the metrics on the test split under names of their own.

    The first measurement has step 0, one on other data the step after the last.
    """
    return [
        MetricPoint(key, value, scores.at_ms, logged.get(key, -1) + 1)
        for key, value in ((metric_key(TEST_PREFIX + name), value) for name, value in sorted(scores.metrics.items()))
    ]


def missing(points: Iterable[MetricPoint], logged: Mapping[str, int]) -> list[MetricPoint]:
    """Return the points that come after the last step that MLflow has of their metric.

    Points are sent in the order of their steps and each request is carried out whole or not at all, so the last step
    of a metric says that all before it are there. A metric that appears late, or that is new, is covered as well.
    """
    return [point for point in points if point.step > logged.get(point.key, -1)]


def portions(points: list[MetricPoint], size: int = PORTION) -> Iterator[list[MetricPoint]]:
    """Yield the points in requests of at most ``size``."""
    for begin in range(0, len(points), size):
        yield points[begin : begin + size]


def advance(logged: dict[str, int], points: Iterable[MetricPoint]) -> None:
    """Note in ``logged`` that MLflow has these points."""
    for point in points:
        logged[point.key] = max(point.step, logged.get(point.key, -1))


def metric_key(name: str) -> str:
    """Return the name under which MLflow takes a metric: other characters become their number, ``&`` is ``:26:``."""
    return REFUSED_CHARACTERS.sub(lambda found: f":{ord(found[0]):x}:", name)


def _points(record: Record, values: Mapping[str, float]) -> Iterator[MetricPoint]:
    timestamp_ms = int(record.wall_time * 1000)
    for key, value in sorted(values.items()):
        yield MetricPoint(metric_key(key), value, timestamp_ms, record.epoch)
