"""Read MLflow's database by columns where it is at hand.

The store's own calls build an object for each parameter, tag and point, which takes most of their time; the columns are
those of MLflow's own models, and ``tests/contract/test_dashboard_reading.py`` compares the results with the public
client.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import select

from orchestrator.tracking.history.recorded import Latest

LARGEST = 1.79e308  # a database stores the largest float in place of infinity
PER_SELECT = 500  # runs
POINT = ("key", "step", "timestamp", "value", "is_nan")


def _columns(model: Any) -> Any:
    """Return the columns of a model's table: reading plain rows avoids the cost of the model, a third of the time."""
    return model.__table__.c


RUNS = _columns(SqlRun)

MetricRow = tuple[str, str, int, int, float]  # run, metric, step, time in milliseconds, value


class RunRow(NamedTuple):
    """Hold one run as the database has it. Times are in milliseconds."""

    run_id: str
    name: str
    status: str
    started: int | None
    ended: int | None
    experiment: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, Latest]


def unclipped(value: float) -> float:
    """Return infinity for the largest float, which databases hold in its place."""
    return math.copysign(math.inf, value) if abs(value) >= LARGEST else value


def database_runs(store: SqlAlchemyStore, experiments: Sequence[str]) -> list[RunRow]:
    """Return the runs of these experiments that are not deleted, with parameters, tags and last values."""
    chosen = (RUNS.experiment_id.in_([int(one) for one in experiments]), RUNS.lifecycle_stage == "active")
    columns = (RUNS.run_uuid, RUNS.name, RUNS.status, RUNS.start_time, RUNS.end_time, RUNS.experiment_id)
    with store.ManagedSessionMaker() as session:
        found = {
            run: RunRow(run, name, status, started, ended, str(experiment), {}, {}, {})
            for run, name, status, started, ended, experiment in session.execute(select(*columns).where(*chosen))
        }
        for model, place in ((SqlParam, "params"), (SqlTag, "tags")):
            for run, key, value in session.execute(_of_runs(model, ("key", "value"), chosen)):
                getattr(found[run], place)[key] = value
        for run, key, step, time, value in _read(session.execute(_of_runs(SqlLatestMetric, POINT, chosen))):
            found[run].metrics[key] = Latest(value, step, time / 1000)
    return list(found.values())


def database_points(store: SqlAlchemyStore, runs: Sequence[str]) -> Iterator[MetricRow]:
    """Yield every point of every metric of these runs."""
    columns = _columns(SqlMetric)
    query = select(columns.run_uuid, *(columns[name] for name in POINT))
    with store.ManagedSessionMaker() as session:
        for begin in range(0, len(runs), PER_SELECT):
            chosen = columns.run_uuid.in_(runs[begin : begin + PER_SELECT])
            yield from _read(session.execute(query.where(chosen)))


def _of_runs(model: Any, names: Sequence[str], chosen: Sequence[Any]) -> Any:
    """Return the query for these columns of the chosen runs, the run's id first."""
    columns = _columns(model)
    query = select(columns.run_uuid, *(columns[name] for name in names))
    return query.join(SqlRun.__table__, RUNS.run_uuid == columns.run_uuid).where(*chosen)


def _read(points: Iterable[Any]) -> Iterator[MetricRow]:
    for run, key, step, time, value, is_nan in points:
        ordinary = not is_nan and -LARGEST < value < LARGEST
        yield run, key, step, time, value if ordinary else math.nan if is_nan else unclipped(value)
