"""Read MLflow's database by columns where it is at hand.

The store's own calls build an object for each parameter, tag and point, which takes most of their time; the columns are
those of MLflow's own models, and ``tests/contract/test_dashboard_reading.py`` holds what comes out against the public
client.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import select

from orchestrator.snapshot.recorded import Latest

LARGEST = 1.79e308  # a database stores the largest float in place of infinity
PER_SELECT = 500  # runs


Row = tuple[str, str, int, int, float]  # run, metric, step, time in milliseconds, value


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
    columns = (SqlRun.run_uuid, SqlRun.name, SqlRun.status, SqlRun.start_time, SqlRun.end_time, SqlRun.experiment_id)
    chosen = (SqlRun.experiment_id.in_([int(one) for one in experiments]), SqlRun.lifecycle_stage == "active")
    with store.ManagedSessionMaker() as session:
        found = {
            run: RunRow(run, name, status, started, ended, str(experiment), {}, {}, {})
            for run, name, status, started, ended, experiment in session.execute(select(*columns).where(*chosen))
        }
        for model, place in ((SqlParam, "params"), (SqlTag, "tags")):
            query = select(model.run_uuid, model.key, model.value).join(SqlRun).where(*chosen)
            for run, key, value in session.execute(query):
                getattr(found[run], place)[key] = value
        for run, key, step, time, value in _points(session, SqlLatestMetric, chosen):
            found[run].metrics[key] = Latest(value, step, time / 1000)
    return list(found.values())


def database_points(store: SqlAlchemyStore, runs: Sequence[str]) -> Iterator[Row]:
    """Yield every point of every metric of these runs."""
    with store.ManagedSessionMaker() as session:
        for begin in range(0, len(runs), PER_SELECT):
            chosen = (SqlMetric.run_uuid.in_(runs[begin : begin + PER_SELECT]),)
            yield from _points(session, SqlMetric, chosen)


def _points(session: Any, model: Any, chosen: Sequence[Any]) -> Iterator[Row]:
    columns = (model.run_uuid, model.key, model.step, model.timestamp, model.value, model.is_nan)
    query = select(*columns).where(*chosen)
    for run, key, step, time, value, is_nan in session.execute(
        query.join(SqlRun) if model is SqlLatestMetric else query
    ):
        yield run, key, step, time, math.nan if is_nan else unclipped(value)
