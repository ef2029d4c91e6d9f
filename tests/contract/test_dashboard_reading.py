"""What dashboards read in bulk is what MLflow's own client says, from a database and from a server."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.entities import Metric, Param, RunTag
from mlflow.tracking import MlflowClient

from dashboards.snapshot import Query, as_json, snapshot
from orchestrator.core.errors import UserError
from orchestrator.tracking.history.mlflow_curves import to_curves
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from orchestrator.tracking.history.recorded import RecordedRun
from tests.contract.mlflow_server import MlflowServer

AP = "coco/bbox_mAP"


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("database")
    return f"sqlite:///{folder / 'mlflow.db'}"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[str]:
    found = MlflowServer(tmp_path_factory.mktemp("server"))
    found.start()
    yield found.address
    found.kill()


@pytest.fixture(scope="module", params=["database", "server"])
def uri(request, tmp_path_factory) -> str:
    """Return a store with a study, its trials, a run without anything, and runs that were deleted."""
    uri = request.getfixturevalue(request.param)
    client = MlflowClient(uri)
    location = (tmp_path_factory.mktemp("artifacts")).as_uri() if request.param == "database" else None
    experiment = client.create_experiment("sweep", artifact_location=location)
    study = client.create_run(
        experiment, tags={"stillhouse.kind": "study", "stillhouse.study": "alpha"}, run_name="alpha"
    )
    for number in range(3):
        fill(client, experiment, study.info.run_id, number)
    client.create_run(experiment, run_name="empty")
    client.delete_run(client.create_run(experiment, run_name="deleted").info.run_id)
    gone = client.create_experiment("gone")
    client.create_run(gone)
    client.delete_experiment(gone)
    return uri


def fill(client: MlflowClient, experiment: str, study: str, number: int) -> None:
    tags = {
        "stillhouse.kind": "trial", "stillhouse.trial": f"{number:012x}", "stillhouse.role": "student",
        "stillhouse.method": "bckd", "mlflow.parentRunId": study, "mlflow.note.content": "about", "own": "tag",
    }  # fmt: skip
    run = client.create_run(experiment, tags=tags, run_name=f"trial {number}").info.run_id
    points = [Metric(AP, 0.1 * epoch + 0.01 * number, 1000 * epoch, epoch) for epoch in range(1, 4)]
    points += [Metric("loss/x", value, 1000, 1 + step) for step, value in enumerate((1.5, math.nan, math.inf))]
    points += [Metric("twice", 1.0, 1000, 1), Metric("twice", 2.0, 2000, 1)]
    client.log_batch(run, points, [Param("seed", str(number)), Param("method.kind", "bckd")], [RunTag("more", "é<b>")])
    client.log_text(run, '{"seen": true}', "predictions/index.json")
    client.log_text(run, "x" * 5000, "predictions/large.json")
    client.set_terminated(run)


def by_name(runs: list[RecordedRun]) -> dict[str, RecordedRun]:
    return {run.name: run for run in runs}


def test_runs_are_those_that_the_client_finds(uri):
    client, found = MlflowClient(uri), MlflowTracking(uri).runs()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    wanted = {run.info.run_id: run for run in client.search_runs(experiments)}
    assert {run.run_id for run in found} == set(wanted)
    assert {run.name for run in found} == {"alpha", "trial 0", "trial 1", "trial 2", "empty"}
    for run in found:
        theirs = wanted[run.run_id]
        assert dict(run.params) == theirs.data.params
        assert run.status == theirs.info.status
        assert (run.started, run.ended) == (
            theirs.info.start_time / 1000, theirs.info.end_time and theirs.info.end_time / 1000,
        )  # fmt: skip
        for key, latest in run.metrics.items():
            value = theirs.data.metrics[key]
            assert latest.value == value or (math.isnan(value) and math.isnan(latest.value)) or math.isinf(latest.value)
        assert set(run.metrics) == set(theirs.data.metrics)


def test_what_stillhouse_wrote_is_told_from_other_tags(uri):
    run = by_name(MlflowTracking(uri).runs())["trial 1"]
    assert (run.kind, run.trial, run.role, run.method) == ("trial", "000000000001", "student", "bckd")
    assert run.description == "about"
    assert {key: run.tags[key] for key in ("own", "more")} == {"own": "tag", "more": "é<b>"}
    assert not any(key.startswith(("stillhouse.", "mlflow.parent")) for key in run.tags)
    assert run.metrics[AP][:2] == (pytest.approx(0.31), 3)


def test_curves_are_those_that_the_client_reads_one_by_one(uri):
    client, tracking = MlflowClient(uri), MlflowTracking(uri)
    runs = tracking.runs()
    found = tracking.curves(runs)
    for run in runs:
        wanted = to_curves(
            (run.run_id, key, metric.step, metric.timestamp, metric.value)
            for key in run.metrics
            for metric in client.get_metric_history(run.run_id, key)
            if not abs(metric.value) > 1e300 and not math.isnan(metric.value)
        ).get(run.run_id, {})
        finite = {k: [point for point in curve if math.isfinite(point[1])] for k, curve in found[run.run_id].items()}
        assert finite == wanted
    values = [value for _, value in found[by_name(runs)["trial 0"].run_id]["loss/x"]]
    assert values[0] == 1.5
    assert math.isnan(values[1])
    assert values[2] == math.inf
    assert found[by_name(runs)["trial 0"].run_id]["twice"] == [(1, 2.0)]


def test_new_points_are_read_and_known_ones_kept(uri):
    client, tracking = MlflowClient(uri), MlflowTracking(uri)
    before = tracking.curves(tracking.runs())
    growing = client.create_run(experiment_of(client), run_name="growing").info.run_id
    client.log_metric(growing, AP, 0.5, step=1)
    tracking.curves(tracking.runs())
    client.log_metric(growing, AP, 0.5, step=2)
    after = tracking.curves(tracking.runs())
    assert after[growing] == {AP: [(1, 0.5), (2, 0.5)]}
    assert all(after[run] is before[run] for run in before)
    client.delete_run(growing)
    assert growing not in {run.run_id for run in tracking.runs()}


def experiment_of(client: MlflowClient) -> str:
    return str(client.get_experiment_by_name("sweep").experiment_id)


def test_artifacts_up_to_a_size(uri):
    tracking = MlflowTracking(uri)
    run = by_name(tracking.runs())["trial 0"].run_id
    assert tracking.artifact(run, "predictions/index.json", 1000) == b'{"seen": true}'
    assert tracking.artifact(run, "predictions/large.json", 1000) is None
    assert tracking.artifact(run, "predictions/absent.json", 1000) is None
    assert tracking.artifact(run, "absent/absent.json", 1000) is None


def test_snapshot_of_a_real_store_is_json(uri):
    found = snapshot(MlflowTracking(uri), Query())
    assert as_json(found)
    assert [study["name"] for study in found["studies"]] == ["alpha", "sweep"]
    assert [len(study["runs"]) for study in found["studies"]] == [3, 1]


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path):
    with pytest.raises(UserError, match="run a study first"):
        MlflowTracking(f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert list(tmp_path.iterdir()) == []
