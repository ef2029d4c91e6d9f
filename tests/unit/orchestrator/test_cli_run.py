"""A run that cannot work says why in one sentence, before Ray is started, and leaves nothing half-written."""

import fcntl
import http.server
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from orchestrator.commands.run import mlflow_pages
from tests.unit.orchestrator.coco_data import section, write_coco
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.study_text import TRAINED, edit, write

ROOT = Path(__file__).parents[3]
SHAPES = "dataset:\n  kind: shapes\n  train_images: 8\n"
ONE_WORKER = edit("workers: 2", "workers: 1")


@pytest.fixture
def stillhouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    return runner(capsys)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STILLHOUSE_DATA", raising=False)
    return tmp_path / "store"


def sentence(answer: Answer, code: int) -> str:
    """Return the one sentence that an unsuccessful command ends with; the rest of stderr are findings."""
    assert answer.code == code, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    [said] = [line for line in answer.complaints if line.startswith("stillhouse: ")]
    assert said == answer.complaints[-1]
    assert all(": missing: " in line or ": warning: " in line for line in answer.complaints[:-1])
    return said.removeprefix("stillhouse: ")


def is_untouched(store: Path) -> bool:
    """Tell that a store holds no trial and no database; the lock of a run that began may be there."""
    return {path.name for path in store.iterdir()} <= {"run.lock"} if store.exists() else True


# the data --------------------------------------------------------------------------------------------------------------


def test_missing_dataset(stillhouse, store, tmp_path):
    path = write(tmp_path, ONE_WORKER.replace(SHAPES, section(tmp_path / "nowhere")))
    answer = stillhouse("run", path, "--store", store)
    assert ": give this before running" in sentence(answer, 2)
    assert f"{path}:4: dataset.root: missing: no such folder: {tmp_path / 'nowhere'}" in answer.complaints
    assert not store.exists()


def test_missing_images(stillhouse, store, tmp_path):
    shutil.rmtree(write_coco(tmp_path / "data") / "images")
    path = write(tmp_path, ONE_WORKER.replace(SHAPES, section(tmp_path / "data")))
    answer = stillhouse("run", path, "--store", store)
    assert ": give this before running" in sentence(answer, 2)
    assert not store.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"images": [', "cannot be read as JSON"),
        ('{"categories": [{"id": 1, "name": "dog"}]}', "has no list of images"),
    ],
)
def test_wrong_annotations_are_findings_and_each_is_said_once(stillhouse, store, tmp_path, content, says):
    (write_coco(tmp_path / "data") / "train.json").write_text(content)
    path = write(tmp_path, ONE_WORKER.replace(SHAPES, section(tmp_path / "data")))
    answer = stillhouse("run", path, "--store", store)
    assert (answer.code, answer.out) == (2, "")
    [line] = answer.complaints
    assert line.startswith(f"{path}:7: dataset.train: ")
    assert says in line
    assert not store.exists()


def test_missing_teacher_checkpoint(stillhouse, store, tmp_path):
    teacher = (
        "teacher:\n  kind: checkpoint\n  path: none.pth\n  detector: {config: 'mmdet::gfl/gfl_r50_fpn_1x_coco.py'}\n"
    )
    path = write(tmp_path, ONE_WORKER.replace(TRAINED, teacher))
    answer = stillhouse("run", path, "--store", store)
    assert (answer.code, answer.complaints) == (2, [f"{path}:7: teacher.path: no such file: {tmp_path / 'none.pth'}"])
    assert not store.exists()


def test_a_trial_that_fits_nowhere(stillhouse, store, tmp_path):
    path = write(tmp_path, ONE_WORKER)
    answer = stillhouse("run", path, "--store", store, "--set", "scaling.gpus_per_worker=16")
    assert "no trial fits on this machine" in sentence(answer, 2)
    assert not store.exists()


def test_weights_that_cannot_be_fetched(stillhouse, store, tmp_path, monkeypatch):
    (tmp_path / "cache").touch()  # a file in place of the cache's folder
    pretrained = "config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n  weights: "
    path = write(tmp_path, ONE_WORKER.replace(f"{pretrained}random", f"{pretrained}imagenet"))
    answer = stillhouse("run", path, "--store", store)
    assert sentence(answer, 1).startswith("cannot fetch https://download.pytorch.org/models/resnet50-0676ba61.pth: ")
    assert is_untouched(store)


# the store -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", ["", "inner/store"])
def test_a_file_in_place_of_the_store(stillhouse, store, tmp_path, below):
    store.write_text("mine")
    path = write(tmp_path, ONE_WORKER)
    said = sentence(stillhouse("run", path, "--store", store / below), 1)
    assert said.startswith(f"cannot write to the store {store / below}: ")
    assert store.read_text() == "mine"


def damage_everything(database: Path) -> None:
    database.write_bytes(b"not a database at all" * 100)


def damage_the_middle(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("create table t (x text)")
        connection.executemany("insert into t values (?)", [("x" * 100,)] * 1000)
    with database.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xaa" * 16384)


def damage_the_end(database: Path) -> None:
    damage_the_middle(database)
    with database.open("r+b") as file:
        file.truncate(20_000)


DATABASE_COMMANDS = pytest.mark.parametrize("command", ["run", "compare", "export"])


def over_a_database(stillhouse, store, tmp_path, command):
    arguments = ("--to", tmp_path / "out") if command == "export" else ()
    return sentence(stillhouse(command, write(tmp_path, ONE_WORKER), "--store", store, *arguments), 1)


@pytest.mark.parametrize("damage", [damage_everything, damage_the_middle, damage_the_end])
@DATABASE_COMMANDS
def test_a_damaged_database(stillhouse, store, tmp_path, damage, command):
    store.mkdir()
    database = store / "mlflow.db"
    damage(database)
    before = database.read_bytes()
    found = over_a_database(stillhouse, store, tmp_path, command)
    assert found.startswith(f"the tracking database {database} is damaged: ")
    assert [path.name for path in store.iterdir()] == ["mlflow.db"]
    assert database.read_bytes() == before


@DATABASE_COMMANDS
def test_a_folder_in_the_place_of_a_database(stillhouse, store, tmp_path, command):
    (store / "mlflow.db").mkdir(parents=True)
    found = over_a_database(stillhouse, store, tmp_path, command)
    assert found == f"the database {store / 'mlflow.db'} is a folder, not a file: name another one"
    assert [path.name for path in store.iterdir()] == ["mlflow.db"]


def test_another_run_in_the_same_store(stillhouse, store, tmp_path):
    store.mkdir()
    with (store / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        answer = stillhouse("run", write(tmp_path, ONE_WORKER), "--store", store)
    assert sentence(answer, 1) == (
        f"another stillhouse run is using the store {store}; runs that are all started with --share train one study together"
    )
    assert is_untouched(store)


# the tracking address --------------------------------------------------------------------------------------------------


class NoTracking(http.server.BaseHTTPRequestHandler):
    """Be something else that happens to listen: ``/health`` is there or not."""

    def do_GET(self) -> None:
        found = self.path.startswith("/welcoming/")
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write(b"<html>a wiki</html>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def wiki() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoTracking) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port on which no server listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def test_nobody_at_the_tracking_address(stillhouse, store, tmp_path):
    with closed_port() as port:
        uri = f"http://127.0.0.1:{port}"
        answer = stillhouse("compare", write(tmp_path, ONE_WORKER), "--store", store, "--set", f"tracking.uri='{uri}'")
    assert sentence(answer, 1) == f"no MLflow server answers at {uri}: [Errno 111] Connection refused"
    assert is_untouched(store)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "no MLflow server answers at {}: Not Found; where a proxy serves MLflow below a path, "),
        ("/welcoming", "something answers at {}, but it is not an MLflow server"),
    ],
)
@pytest.mark.parametrize("command", ["run", "compare"])
def test_something_else_at_the_tracking_address(stillhouse, store, tmp_path, wiki, path, says, command):
    uri = f"{wiki}{path}"
    answer = stillhouse(command, write(tmp_path, ONE_WORKER), "--store", store, "--set", f"tracking.uri='{uri}'")
    assert sentence(answer, 2).startswith(says.format(uri))
    assert is_untouched(store)


@pytest.mark.parametrize("uri", ["http://[bad", "http://127.0.0.1:port"])
def test_a_tracking_address_that_is_none(stillhouse, store, tmp_path, uri):
    answer = stillhouse("run", write(tmp_path, ONE_WORKER), "--store", store, "--set", f"tracking.uri='{uri}'")
    assert sentence(answer, 2).startswith(f"no MLflow server answers at {uri}: ")
    assert is_untouched(store)


def test_the_pages_of_a_server_are_at_its_address_and_those_of_a_database_need_one():
    assert mlflow_pages("https://mlflow.example/team") == "https://mlflow.example/team"
    assert mlflow_pages("sqlite:////a b/mlflow.db") == "mlflow ui --backend-store-uri 'sqlite:////a b/mlflow.db'"


def test_a_tracking_database_without_a_folder(stillhouse, store, tmp_path):
    database = tmp_path / "none" / "mlflow.db"
    setting = f"tracking.uri='sqlite:///{database}'"
    answer = stillhouse("run", write(tmp_path, ONE_WORKER), "--store", store, "--set", setting)
    assert sentence(answer, 2).startswith(f"the tracking database {database} cannot be created: ")
    assert not database.parent.exists()
    assert is_untouched(store)
