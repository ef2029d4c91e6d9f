import gzip
import json
import socket
import threading

import pytest
from starlette.testclient import TestClient

from dashboards.live import FRESH_S, Live
from dashboards.server import allowed_hosts, application
from dashboards.snapshot import Query
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.listening import open_socket
from orchestrator.tracking.history.mlflow_runs import _events, _names
from tests.unit.dashboards.example_store import NOW, example_store
from tests.unit.dashboards.fake_tracking import AP, FakeTracking

PICTURE = b"\xff\xd8 a picture"


class Files:
    """Hold artifacts in memory and note what was asked for."""

    def __init__(self, **files: bytes) -> None:
        self.files, self.asked = files, []

    def artifact(self, run: str, path: str, largest: int) -> bytes | None:
        self.asked.append(path)
        return self.files.get(path.rpartition("/")[2].replace(".", "_"))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Moody(FakeTracking):
    """Stop answering when told."""

    away = False

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.failure = failure or OperationError("the tracking store failed: connection refused")

    def runs(self):
        if self.away:
            raise self.failure
        return super().runs()


def client_of(store: FakeTracking, files: Files | None = None, clock: Clock | None = None) -> TestClient:
    live = Live(store, Query(now=NOW), clock or Clock())
    return TestClient(application(live, files or Files()), base_url="http://127.0.0.1:8280")


def settle() -> None:
    """Wait for the thread that renews the snapshot."""
    for thread in threading.enumerate():
        if thread.name == "snapshot":
            thread.join(20)


@pytest.fixture
def client() -> TestClient:
    return client_of(example_store())


def test_snapshot_without_curves_and_curves_apart(client):
    found = client.get("/api/snapshot").json()
    assert "histories" not in found
    assert found["live"] is True
    runs = [trial["run"] for trial in found["trials"]]
    assert list(client.get("/api/histories").json()["runs"]) == runs
    assert list(client.get("/api/histories", params={"run": runs[3:5]}).json()["runs"]) == runs[3:5]
    assert client.get("/api/histories?run=unknown").json()["runs"] == {}


def test_whoever_has_the_newest_gets_nothing_again(client):
    first = client.get("/api/snapshot")
    again = client.get("/api/snapshot", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/api/snapshot", headers={"if-none-match": '"other"'}).status_code == 200
    since = client.get("/api/snapshot", params={"since": first.json()["revision"]}).json()
    assert since["unchanged"] is True
    assert "trials" in client.get("/api/snapshot?since=other").json()


def test_compressed_for_whoever_takes_it(client):
    with client.stream("GET", "/api/snapshot", headers={"accept-encoding": "gzip"}) as answer:
        compressed = b"".join(answer.iter_raw())
    plain = client.get("/api/snapshot", headers={"accept-encoding": "identity"}).content
    assert len(compressed) < len(plain) / 3
    assert json.loads(gzip.decompress(compressed)) == json.loads(plain)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/style.css",
        "/app/main.js",
        "/app/views.js",
        "/app/views/cost.js",
        "/vendor/echarts.min.js",
        "/api/snapshot",
        "/nothing",
    ],
)
def test_every_answer_forbids_what_comes_from_elsewhere(client, path):
    answer = client.get(path)
    assert answer.status_code == (404 if path == "/nothing" else 200)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "script-src" not in policy  # so default-src holds for scripts: none inline
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(client, method):
    assert client.request(method, "/api/snapshot").status_code == 405


def test_other_names_of_this_machine_are_refused(client):
    assert client.get("/api/snapshot", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/api/snapshot", headers={"host": "localhost:8280"}).status_code == 200
    assert allowed_hosts("0.0.0.0") == ("*",)


@pytest.mark.parametrize("path", ["/app/../server.py", "/app/%2e%2e/server.py", "/bundle.py", "/web/bundle.py"])
def test_code_of_the_server_is_not_served(client, path):
    assert client.get(path).status_code == 404


def test_artifacts_of_known_runs_below_predictions():
    store = example_store()
    files = Files(index_json=b'{"images": []}', picture_jpg=PICTURE)
    client = client_of(store, files)
    run = client.get("/api/snapshot").json()["trials"][0]["run"]

    def get(path: str, of: str = run):
        return client.get("/api/artifact", params={"run": of, "path": path})

    assert get("predictions/index.json").json() == {"images": []}
    answer = get("predictions/images/picture.jpg")
    assert (answer.content, answer.headers["content-type"]) == (PICTURE, "image/jpeg")
    assert get("predictions/absent.json").status_code == 404
    files.asked.clear()
    for path in (
        "student/best.pth",
        "predictions/../study.json",
        "predictions/x.html",
        "predictions//x.json",
        "",
        "../x.json",
    ):
        assert get(path).status_code == 404
    assert get("predictions/index.json", of="f" * 32).status_code == 404
    assert files.asked == []


def test_images_of_an_older_version_are_served_and_a_version_without_any_is_no_fault():
    store = FakeTracking()
    for seconds in (0.0, 60.0):
        study = store.study("s", run_at=1_790_000_000.0 + seconds)
        store.trial(study, "bckd", {AP: [0.1]})
    files = Files(index_json=b'{"images": []}')
    client = client_of(store, files)
    [older] = client.get("/api/snapshot").json()["older"]
    asked = {"run": older["study"]["id"], "path": "predictions/index.json"}
    assert client.get("/api/artifact", params=asked).json() == {"images": []}
    assert client_of(store, Files()).get("/api/artifact", params=asked).status_code == 204


def test_system_metrics_are_asked_for_by_run():
    store = FakeTracking()
    study = store.study("s")
    run = store.trial(study, "bckd", {AP: [0.1, 0.2], "system/cpu_utilization_percentage": [50.0, 60.0]})
    other = store.trial(study, "none", {AP: [0.1]})
    client = client_of(store, Files())
    found = client.get("/api/system", params={"run": run}).json()
    [[metric, steps, values]] = found["runs"][run]
    assert (found["metrics"][metric], values) == ("system/cpu_utilization_percentage", [50.0, 60.0])
    assert found["metric_names"]["system/cpu_utilization_percentage"]["title"] == "CPU use, %"
    assert len(found["steps"][steps]) == 2
    assert client.get("/api/system", params={"run": other}).json()["runs"] == {}
    snapshot = client.get("/api/snapshot").json()
    assert "system" not in snapshot
    assert snapshot["metrics"] == [AP]


def test_the_end_of_a_trials_log_is_plain_text_and_may_be_absent():
    client = client_of(example_store(), Files(error_txt=b"<b>CUDA error</b>"))
    run = client.get("/api/snapshot").json()["trials"][0]["run"]
    answer = client.get("/api/artifact", params={"run": run, "path": "error.txt"})
    assert (answer.text, answer.headers["content-type"]) == ("<b>CUDA error</b>", "text/plain; charset=utf-8")
    client = client_of(example_store(), Files())
    assert client.get("/api/artifact", params={"run": run, "path": "error.txt"}).status_code == 204
    assert client.get("/api/artifact", params={"run": "f" * 32, "path": "error.txt"}).status_code == 404


def test_new_results_appear_behind_an_answer_that_nobody_waited_for():
    store, clock = example_store(), Clock()
    client = client_of(store, clock=clock)
    before = client.get("/api/snapshot").json()
    store.foreign("new", {AP: [0.5]})
    assert client.get("/api/snapshot").json() == before  # still fresh
    clock.now += FRESH_S
    client.get("/api/snapshot")
    settle()
    assert len(client.get("/api/snapshot").json()["trials"]) == len(before["trials"]) + 1


def test_outage_is_said_and_ends():
    store, clock = Moody(), Clock()
    store.foreign("run", {AP: [0.5]})
    client = client_of(store, clock=clock)
    store.away = True
    clock.now += FRESH_S
    client.get("/api/snapshot")
    settle()
    answer = client.get("/api/snapshot")
    assert (answer.status_code, "connection refused" in answer.json()["detail"]) == (503, True)
    store.away = False
    clock.now += FRESH_S
    client.get("/api/snapshot")
    settle()
    assert client.get("/api/snapshot").status_code == 200


def test_taken_port_is_the_users_to_change():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="--port"):
        open_socket("127.0.0.1", taken.getsockname()[1])


def test_address_can_be_used_as_soon_as_it_is_known():
    with open_socket("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        pass


@pytest.mark.parametrize(
    "failure", [RecursionError("maximum recursion depth exceeded"), KeyError("step"), MemoryError()]
)
def test_any_failure_of_a_renewal_is_said_and_tried_again(failure):
    store, clock = Moody(failure), Clock()
    store.foreign("run", {AP: [0.5]})
    client = client_of(store, clock=clock)
    for away, status in ((True, 503), (True, 503), (False, 200)):
        store.away = away
        clock.now += FRESH_S
        client.get("/api/snapshot")
        settle()
        answer = client.get("/api/snapshot")
        assert answer.status_code == status
        assert status == 200 or "could not be read again" in answer.json()["detail"]


def test_foreign_tags_of_any_depth_are_shown_as_text():
    deep, long = "[" * 5000, '[{"time": ' + "9" * 5000 + "}]"
    for text in (deep, deep + "]" * 5000, long, '{"a":' * 5000):
        assert (_events(text), _names(text)) == ([], None)
    store = example_store()
    store.foreign("deep", {AP: [0.5]}, tags={"deep": deep}, params={"dataset.classes": deep})
    assert "deep" in {trial["name"] for trial in client_of(store).get("/api/snapshot").json()["trials"]}


def test_a_page_that_has_a_picture_gets_none_again():
    client = client_of(example_store(), Files(picture_jpg=PICTURE))
    run = client.get("/api/snapshot").json()["trials"][0]["run"]
    asked = {"run": run, "path": "predictions/images/picture.jpg"}
    tag = client.get("/api/artifact", params=asked).headers["etag"]
    again = client.get("/api/artifact", params=asked, headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("sent", ["{tag}", '"x", {tag}', '"x",{tag} , "y"'])
def test_a_page_that_has_the_snapshot_is_told_so_whatever_else_it_has(sent):
    client = client_of(example_store())
    tag = client.get("/api/snapshot").headers["etag"]
    answer = client.get("/api/snapshot", headers={"if-none-match": sent.format(tag=tag)})
    assert (answer.status_code, answer.headers["etag"]) == (304, tag)
    assert client.get("/api/snapshot", headers={"if-none-match": '"x", "y"'}).status_code == 200
