"""A tracking store that is away costs no point, no doubled point, and no more time than was announced."""

import contextlib
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.tracking.backoff import Backoff
from orchestrator.tracking.faults import Unreachable
from orchestrator.tracking.flusher import Flusher
from orchestrator.tracking.results import read_results, results_on_disk
from orchestrator.tracking.tracker import Tracker
from tests.contract.faulty_proxy import CUT, HALF, FaultyProxy
from tests.contract.mlflow_server import MlflowServer, free_port
from tests.contract.postgres import postgres
from tests.contract.test_tracking import SMALL, finish, leave, logged, per_epoch, record, runs_in, without_best
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import Outcome, Record

PASSWORD = "correct-horse:battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """Give one server to all tests, each with an experiment of its own; whether it runs is theirs to say."""
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.prepare()
    return store


@pytest.fixture
def plan(tmp_path: Path, store: Store, server: MlflowServer, request: pytest.FixtureRequest) -> Plan:
    return plan_of(tmp_path, store, server.address, request.node.name)


def plan_of(tmp_path: Path, store: Store, address: str, experiment: str) -> Plan:
    sets = (*SMALL, f"tracking.uri={address}", f"tracking.experiment={experiment}")
    return plan_text(tmp_path, VALID, *sets, store=store.root)


def put_away(server: MlflowServer) -> None:
    """Delete what other tests have left on the server."""
    client = MlflowClient(tracking_uri=server.address)
    for experiment in client.search_experiments():
        if experiment.name != "Default":
            client.delete_experiment(experiment.experiment_id)


def quick() -> Backoff:
    return Backoff(seed=0)


def assert_complete(server: MlflowServer, plan: Plan, histories: dict[str, list[Record]]) -> None:
    """Compare all that MLflow has of an experiment with the trials' histories."""
    client = MlflowClient(tracking_uri=server.address)
    active = [run for run in runs_in(client, plan.study.tracking.experiment) if run.info.lifecycle_stage == "active"]
    assert len(active) == len(histories) + 1
    runs = {run.data.tags.get("stillhouse.trial"): run for run in active}
    assert set(runs) == {None, *histories}
    for trial_id, history in histories.items():
        run = runs[trial_id]
        found = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
        points = {key: [(metric.step, metric.value) for metric in points] for key, points in found.items()}
        assert without_best(points) == per_epoch(history)
        assert run.info.status == "FINISHED"


def test_a_server_that_comes_at_the_end_gets_everything(server: MlflowServer, plan: Plan, store: Store) -> None:
    server.kill()
    flusher = Flusher(Tracker(plan, store), plan.trials, quick())
    histories: dict[str, list[Record]] = {}
    for epoch in (1, 2, 3):
        for trial in plan.trials:
            histories[trial.id] = [record(number, number / 9) for number in range(1, epoch + 1)]
            leave(trial, histories[trial.id], Outcome("finished") if epoch == 3 else None)
            flusher.reported(trial.id, {})
    began = threading.Thread(target=server.start)
    began.start()
    assert flusher.close(wait_s=60).complete
    began.join()
    assert_complete(server, plan, histories)


def test_a_server_that_dies_in_between_and_one_that_stays_away(
    server: MlflowServer, plan: Plan, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    server.start()
    put_away(server)  # results are read from wherever a trial is furthest
    student, other = plan.students[:2]
    history = [record(epoch, epoch / 9) for epoch in (1, 2, 3, 4)]
    tracker = Tracker(plan, store)
    leave(student, history[:2])
    tracker.sync(student)
    server.kill()
    finish(other, 0.1)
    leave(student, history, Outcome("finished"))
    with pytest.raises(Unreachable):
        tracker.sync(student)
    flusher = Flusher(tracker, plan.trials, quick())
    for _ in range(50):
        flusher.reported(student.id, {})
    delivery = flusher.close(wait_s=1)
    points = sum(map(len, per_epoch(history).values())) + sum(map(len, per_epoch([record(1, 0.1)]).values()))
    assert (delivery.complete, delivery.waiting, delivery.trials) == (False, points, 2)
    assert len([entry for entry in caplog.records if entry.levelname == "WARNING"]) <= 2  # away; waiting at the end
    on_disk = results_on_disk(plan, {})
    server.start()
    assert Flusher(Tracker(plan, store), plan.trials, quick()).close(wait_s=30).complete
    assert_complete(server, plan, {student.id: history, other.id: [record(1, 0.1)]})
    client = MlflowClient(tracking_uri=server.address)
    in_mlflow = {result.id: replace(result, mlflow_run_id=None) for result in read_results(plan, client)}
    assert in_mlflow == {result.id: result for result in on_disk}


def test_a_server_that_says_nothing_holds_nobody(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.tracking.server_probe.CONNECT_TIMEOUT_S", 0.5)
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        plan = plan_of(tmp_path, store, f"http://127.0.0.1:{hole.getsockname()[1]}", "hole")
        finish(plan.students[0], 0.1)
        began = time.monotonic()
        flusher = Flusher(Tracker(plan, store), plan.trials, quick())
        flusher.reported(plan.students[0].id, {})
        assert time.monotonic() - began < 0.2
        assert not flusher.close(wait_s=1).complete
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("fault", ["late", "lost after"])
@pytest.mark.parametrize(("path", "most"), [("runs/log-batch", 4), ("runs/create", 1), ("experiments/create", 1)])
def test_a_request_that_is_carried_out_unheard_counts_once(
    server: MlflowServer,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    most: int,
    fault: str,
) -> None:
    """The repetition overtakes it, or comes after it."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    server.start()
    experiment = f"{path} {fault}".replace("/", " ")
    with FaultyProxy(server.port, 1.0, 0, path=path, faults=(fault,), most=most) as proxy:
        plan = plan_of(tmp_path, store, proxy.address, experiment)
        histories = {trial.id: finish(trial, 0.1, 0.2) for trial in plan.trials[:2]}
        tracker = Tracker(plan, store)
        assert Flusher(tracker, plan.trials, quick()).close(wait_s=30).complete
        assert proxy.met[fault] == most
        proxy.wait_for_late_ones()
        again = Tracker(plan, store)
        assert Flusher(again, plan.trials, quick()).close(wait_s=30).complete
    assert (again.study_run, again.sent) == (tracker.study_run, 0)
    assert_complete(server, plan, histories)


@pytest.mark.parametrize("fault", [CUT, HALF])
@pytest.mark.parametrize(
    ("path", "most"),
    [("runs/log-batch", 2), ("runs/create", 1), ("runs/search", 3), ("experiments/get-by-name", 1), ("", 8)],
)
def test_an_answer_that_ends_half_way_is_asked_for_again_and_counts_once(
    server: MlflowServer, store: Store, tmp_path: Path, path: str, most: int, fault: str
) -> None:
    server.start()
    experiment = f"half {path} {fault}".replace("/", " ")
    with FaultyProxy(server.port, 1.0, 0, path=path, faults=(fault,), most=most) as proxy:
        plan = plan_of(tmp_path, store, proxy.address, experiment)
        histories = {trial.id: finish(trial, 0.1, 0.2) for trial in plan.trials[:2]}
        assert Flusher(Tracker(plan, store), plan.trials, quick()).close(wait_s=60).complete
        assert proxy.met[fault] == most
    assert_complete(server, plan, histories)


def test_what_mlflow_refuses_does_not_stop_other_trials(
    server: MlflowServer, plan: Plan, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    good, bad = plan.students[:2]
    history = finish(good, 0.1)
    leave(bad, [record(1, 0.1, metrics={"x" * 300: 1.0})])  # longer than MLflow takes
    delivery = Flusher(Tracker(plan, store), [bad, good], quick()).close(wait_s=5)
    assert (delivery.complete, delivery.trials) == (False, 1)
    assert "300" in delivery.reason or "length" in delivery.reason
    client = MlflowClient(tracking_uri=server.address)
    runs = {run.data.tags.get("stillhouse.trial"): run for run in runs_in(client, plan.study.tracking.experiment)}
    assert runs[good.id].info.status == "FINISHED"
    points = client.get_metric_history(runs[good.id].info.run_id, "loss/total")
    assert [(point.step, point.value) for point in points] == per_epoch(history)["loss/total"]


def test_a_run_that_was_deleted_is_written_anew(server: MlflowServer, plan: Plan, store: Store) -> None:
    server.start()
    student = plan.students[0]
    tracker = Tracker(plan, store)
    leave(student, [record(1, 0.1)])
    tracker.sync(student)
    client = MlflowClient(tracking_uri=server.address)
    client.delete_run(tracker.run_id(student))
    leave(student, [record(1, 0.1), record(2, 0.2)], Outcome("finished"))
    assert Flusher(tracker, [student], quick()).close(wait_s=10).complete
    [run] = [run for run in runs_in(client, plan.study.tracking.experiment) if run.data.tags.get("stillhouse.trial")
             and run.info.lifecycle_stage == "active"]  # fmt: skip
    assert [point.step for point in client.get_metric_history(run.info.run_id, "epoch")] == [1, 2]


def test_a_locked_database_is_waited_for(tmp_path: Path, store: Store) -> None:
    plan = plan_text(tmp_path, VALID, *SMALL, store=store.root)
    student = plan.students[0]
    history = finish(student, 0.1)
    Tracker(plan, store).connect()
    with contextlib.closing(sqlite3.connect(store.database, isolation_level=None)) as other:
        other.execute("begin exclusive")
        flusher = Flusher(Tracker(plan, store), [student], quick())
        flusher.reported(student.id, {})
        time.sleep(1.0)  # somebody else's transaction
        other.execute("rollback")
    assert flusher.close(wait_s=60).complete
    client = MlflowClient(tracking_uri=f"sqlite:///{store.database}")
    assert without_best(logged(client, student)) == per_epoch(history)


# the command -----------------------------------------------------------------------------------------------------------


def test_sync_delivers_what_waits(
    server: MlflowServer, plan: Plan, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stillhouse = runner(capsys)
    sets = (*SMALL, f"tracking.uri={server.address}", f"tracking.experiment={plan.study.tracking.experiment}")
    flags = [part for setting in sets for part in ("--set", setting)]
    command = ("sync", tmp_path / "study.yaml", "--store", store.root, *flags)
    nothing = stillhouse(*command)
    assert (nothing.code, len(nothing.complaints)) == (2, 1)
    histories = {trial.id: finish(trial, 0.1, 0.2) for trial in plan.trials}
    nowhere = f"tracking.uri=http://127.0.0.1:{free_port()}"
    away = stillhouse(*command, "--set", nowhere, "--tracker-wait", "0.2")
    points = sum(len(values) for history in histories.values() for values in per_epoch(history).values())
    assert away.code == 1
    assert f"waiting in the store: {points} points of 5 trials" in away.err
    server.start()
    assert stillhouse(*command).code == 0
    assert_complete(server, plan, histories)
    again = stillhouse(*command)
    assert (again.code, again.complaints[-1].endswith(" 0 points were sent")) == (0, True)


# secrets ---------------------------------------------------------------------------------------------------------------


def test_a_password_in_the_address_stays_out_of_mlflow_and_messages(
    server: MlflowServer, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plan = plan_of(tmp_path, store, f"http://someone:{PASSWORD}@127.0.0.1:{free_port()}", "secret")
    finish(plan.students[0], 0.1)
    away = Flusher(Tracker(plan, store), plan.trials, quick()).close(wait_s=0.2)
    server.start()
    plan = plan_of(tmp_path, store, server.address.replace("://", f"://someone:{PASSWORD}@"), "secret")
    assert Flusher(Tracker(plan, store), plan.trials, quick()).close(wait_s=20).complete
    assert PASSWORD not in away.reason + caplog.text
    client = MlflowClient(tracking_uri=server.address)
    for run in runs_in(client, "secret"):
        folder = tmp_path / run.info.run_id
        folder.mkdir()
        client.download_artifacts(run.info.run_id, "", str(folder))
        texts = [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
        assert texts
        assert PASSWORD not in "".join([*texts, str(run.to_dictionary())])


def test_a_database_is_used_directly_and_its_password_not_told(store: Store, tmp_path: Path) -> None:
    with postgres() as address:
        password = address.split(":")[2].split("@")[0]
        plan = plan_of(tmp_path, store, address, "direct")
        history = finish(plan.students[0], 0.1, 0.2)
        assert Flusher(Tracker(plan, store), plan.trials, quick()).close(wait_s=60).complete
        client = MlflowClient(tracking_uri=address)
        [run] = [run for run in runs_in(client, "direct") if run.data.tags.get("stillhouse.trial")]
        points = client.get_metric_history(run.info.run_id, "loss/total")
        assert [(point.step, point.value) for point in points] == per_epoch(history)["loss/total"]
        wrong = plan_of(tmp_path, store, address.replace(password, f"{password}x"), "direct")
        away = Flusher(Tracker(wrong, store), wrong.trials, quick()).close(wait_s=0.2)
        assert not away.complete
        assert password not in away.reason
