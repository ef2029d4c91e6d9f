"""MLflow as companies run it: each situation is work that is done, or one sentence with a way out."""

import base64
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.tracking.artifacts import download_student
from orchestrator.tracking.client import open_client
from orchestrator.tracking.faults import Unreachable
from orchestrator.tracking.flusher import Flusher
from orchestrator.tracking.tracker import Tracker
from tests.contract.guarded_proxy import Reply, guarded, self_signed
from tests.contract.mlflow_passwords import PasswordServer
from tests.contract.mlflow_server import MlflowServer, free_port
from tests.contract.test_tracking import SMALL, finish
from tests.contract.test_tracking_outage import quick
from tests.unit.orchestrator.command import Answer, runner
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import BEST

USER, PASSWORD, TOKEN = "alice", "s3cret/p@ss:word", "abcdefgh123"
BASIC = f"Basic {base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
LOGGED_IN = {"MLFLOW_TRACKING_USERNAME": USER, "MLFLOW_TRACKING_PASSWORD": PASSWORD}
INTERNAL = "http://mlflow.example"  # a name that only the proxy knows
VARIABLES = (
    "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_INSECURE_TLS",
    "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_TRACKING_CLIENT_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Hold what the situations are made of."""

    server: MlflowServer
    folder: Path
    stack: ExitStack

    def guarded(self, **settings: object) -> str:
        """Return the address of a proxy in front of the server."""
        return self.stack.enter_context(guarded(self.server.port, **settings))  # type: ignore[arg-type]

    def replying(self, status: int, body: str = "", **headers: str) -> str:
        """Return the address of something that gives one reply to everything."""
        reply = (status, list(headers.items()), body.encode())
        return self.guarded(instead=lambda method, path: reply)

    @property
    def certificate(self) -> Path:
        """Return a certificate for loopback, with its key, that nobody vouches for."""
        path = self.folder / "certificate.pem"
        return path if path.exists() else self_signed(path)

    @property
    def no_file(self) -> Path:
        """Return the path of a file that does not exist."""
        return self.folder / "none.pem"


@dataclass(frozen=True)
class Situation:
    """Hold an address, and the variables that are set, both made from a place; what is ``said`` where it does not work."""

    address: Callable[[Place], str]
    variables: Callable[[Place], dict[str, str]] = field(default=lambda place: {})
    said: tuple[str, ...] = ()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def place(server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name in (*VARIABLES, *map(str.lower, VARIABLES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # where MLflow and curl keep passwords
    with ExitStack() as stack:
        yield Place(server, tmp_path, stack)


@pytest.fixture(scope="module")
def password_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PasswordServer]:
    server = PasswordServer(tmp_path_factory.mktemp("passwords"))
    server.start()
    server.add_user(USER, PASSWORD)
    yield server
    server.kill()


def prepare(situation: Situation, place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set the variables of a situation and return the address."""
    address = situation.address(place)
    for variable, value in situation.variables(place).items():
        monkeypatch.setenv(variable, value)
    return address


def plan_at(address: str, tmp_path: Path, name: str = "demo") -> tuple[Plan, Store]:
    """Plan the study with a finished trial that MLflow does not have yet."""
    store = Store(tmp_path / "store")
    sets = (*SMALL, f"tracking.uri='{address}'", f"tracking.experiment={name}")
    plan = plan_text(tmp_path, VALID, *sets, store=store.root)
    finish(plan.students[0], 0.25)
    return plan, store


def command(name: str, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *more: object) -> Answer:
    plan_at("http://127.0.0.1:1", tmp_path)
    sets = [part for one in (*SMALL, f"tracking.uri='{address}'") for part in ("--set", one)]
    return runner(capsys)(name, tmp_path / "study.yaml", "--store", tmp_path / "store", *sets, *more)


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where ``run`` goes on to Ray, before that takes minutes."""
    training = SimpleNamespace(run_plan=lambda *_, **__: pytest.fail("trials were started"))
    monkeypatch.setitem(sys.modules, "orchestrator.execution.run", training)


WORKING = {
    "user and password": Situation(lambda place: place.guarded(wanted=BASIC), lambda place: LOGGED_IN),
    "password in the address": Situation(
        lambda place: place.guarded(wanted=BASIC).replace("//", f"//{USER}:s3cret%2Fp%40ss%3Aword@")
    ),
    "token": Situation(
        lambda place: place.guarded(wanted=f"Bearer {TOKEN}"), lambda place: {"MLFLOW_TRACKING_TOKEN": TOKEN}
    ),
    "path prefix": Situation(lambda place: place.guarded(prefix="/team/mlflow") + "/"),
    "private certificate": Situation(
        lambda place: place.guarded(certificate=place.certificate),
        lambda place: {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(place.certificate)},
    ),
    "private certificate of all programs": Situation(
        lambda place: place.guarded(certificate=place.certificate),
        lambda place: {"REQUESTS_CA_BUNDLE": str(place.certificate)},
    ),
    "certificate unchecked": Situation(
        lambda place: place.guarded(certificate=place.certificate), lambda place: {"MLFLOW_TRACKING_INSECURE_TLS": "true"}
    ),
    "certificate of the client": Situation(
        lambda place: place.guarded(certificate=place.certificate, clients=place.certificate),
        lambda place: {
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(place.certificate),
            "MLFLOW_TRACKING_CLIENT_CERT_PATH": str(place.certificate),
        },
    ),
    "HTTP proxy": Situation(
        lambda place: f"http://localhost:{free_port()}",  # only the proxy knows the port
        lambda place: {"HTTP_PROXY": place.guarded()},
    ),
    "NO_PROXY": Situation(
        lambda place: place.server.address,
        lambda place: {"HTTP_PROXY": f"http://127.0.0.1:{free_port()}", "NO_PROXY": "127.0.0.1"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_it_works_with_the_settings_of_mlflows_own_client(place, tmp_path, monkeypatch, name):
    address = prepare(WORKING[name], place, monkeypatch)
    plan, store = plan_at(address, tmp_path, name)
    Tracker(plan, store).sync(plan.students[0])
    (tmp_path / "out").mkdir()
    folder = download_student(open_client(plan, store, reading=True), plan.students[0].id, tmp_path / "out")
    assert (folder / BEST).read_bytes() == (plan.students[0].directory / BEST).read_bytes()
    seen_directly = MlflowClient(place.server.address).get_experiment_by_name(name)
    assert seen_directly is not None


REFUSED = {
    "no password": Situation(
        lambda place: place.guarded(wanted=BASIC), said=("refuses access (401", "MLFLOW_TRACKING_PASSWORD")
    ),
    "wrong password": Situation(
        lambda place: place.guarded(wanted=BASIC),
        lambda place: LOGGED_IN | {"MLFLOW_TRACKING_PASSWORD": "mistyped99"},
        ("refuses access (401", "MLFLOW_TRACKING_PASSWORD"),
    ),
    "expired token": Situation(
        lambda place: place.replying(401, '{"error": "token mistyped99 is expired"}'),
        lambda place: {"MLFLOW_TRACKING_TOKEN": "mistyped99"},
        ("refuses access (401", "is expired", "MLFLOW_TRACKING_TOKEN"),
    ),
    "token with a line break": Situation(
        lambda place: place.server.address,
        lambda place: {"MLFLOW_TRACKING_TOKEN": "mistyped99\n"},
        ("credentials cannot be sent", "MLFLOW_TRACKING_TOKEN"),
    ),
    "forbidden": Situation(
        lambda place: place.replying(403, '{"message": "Forbidden"}'), said=("refuses access (403", "credentials")
    ),
    "a name that the server does not serve": Situation(
        lambda place: INTERNAL,
        lambda place: {"HTTP_PROXY": place.guarded()},
        ("refuses access (403", "Invalid Host header", "add mlflow.example to --allowed-hosts"),
    ),
    "untrusted certificate": Situation(
        lambda place: place.guarded(certificate=place.certificate),
        said=("self-signed certificate", "set MLFLOW_TRACKING_SERVER_CERT_PATH"),
    ),
    "certificate of another name": Situation(
        lambda place: place.guarded(certificate=place.certificate).replace("127.0.0.1", "localhost"),
        lambda place: {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(place.certificate)},
        ("not valid for 'localhost'", "by a name that its certificate holds"),
    ),
    "missing certificate file": Situation(
        lambda place: place.guarded(certificate=place.certificate),
        lambda place: {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(place.no_file)},
        ("MLFLOW_TRACKING_SERVER_CERT_PATH names", "none.pem, which cannot be read"),
    ),
    "missing bundle": Situation(
        lambda place: place.guarded(certificate=place.certificate),
        lambda place: {"REQUESTS_CA_BUNDLE": str(place.no_file)},
        ("REQUESTS_CA_BUNDLE names", "none.pem, which cannot be read"),
    ),
    "no certificate of the client": Situation(
        lambda place: place.guarded(certificate=place.certificate, clients=place.certificate),
        lambda place: {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(place.certificate)},
        ("set MLFLOW_TRACKING_CLIENT_CERT_PATH",),
    ),
    "no certificate of the client, in TLS or by a page": Situation(
        lambda place: place.replying(400, "<html>400 No required SSL certificate was sent</html>"),
        said=("set MLFLOW_TRACKING_CLIENT_CERT_PATH",),
    ),
    "contradicting settings": Situation(
        lambda place: place.guarded(certificate=place.certificate),
        lambda place: {
            "MLFLOW_TRACKING_SERVER_CERT_PATH": str(place.certificate), "MLFLOW_TRACKING_INSECURE_TLS": "true",
        },
        ("MLflow's client cannot be set up", "only one of these"),
    ),
    "https to a plain server": Situation(
        lambda place: place.server.address.replace("http:", "https:"), said=("begin the address with http://",)
    ),
    "http to a TLS server": Situation(
        lambda place: place.replying(400, "<html>The plain HTTP request was sent to HTTPS port</html>"),
        said=("begin the address with https://",),
    ),
    "no MLflow at the path": Situation(
        lambda place: f"{place.server.address}/mlflow", said=("no MLflow server answers", "Not Found", "below a path")
    ),
    "path prefix left out": Situation(
        lambda place: place.guarded(prefix="/team/mlflow").removesuffix("/team/mlflow"),
        said=("no MLflow server answers", "Not Found", "ends with that path"),
    ),
    "some web page": Situation(lambda place: place.replying(200, "<html>welcome</html>"), said=("not an MLflow server",)),
    "another service": Situation(lambda place: place.replying(200, '{"status": "up"}'), said=("not an MLflow server",)),
    "moved": Situation(
        lambda place: place.replying(301, Location=f"{INTERNAL}/api/2.0/mlflow/experiments/search?max_results=1"),
        said=(f"has moved: set tracking.uri to {INTERNAL}",),
    ),
    "sign-in page": Situation(
        lambda place: place.replying(302, Location="https://login.example/authorize?state=mistyped99"),
        said=("wants a sign-in in a browser, at https://login.example/authorize", "MLFLOW_TRACKING_TOKEN"),
    ),
    "address of a page": Situation(
        lambda place: f"{place.server.address}/#/experiments/0", said=("tracking.uri", "ends before ? and #")
    ),
    "address without http": Situation(
        lambda place: f"localhost:{place.server.port}", said=("tracking.uri", "did you mean http://localhost:")
    ),
    "proxy that wants a password": Situation(
        lambda place: INTERNAL,
        lambda place: {"HTTP_PROXY": place.replying(407).replace("//", "//bob:mistyped99@")},
        ("the proxy http://***@127.0.0.1", "of HTTP_PROXY refuses", "407", "NO_PROXY=mlflow.example"),
    ),
    "proxy that wants a password, by TLS": Situation(
        lambda place: INTERNAL.replace("http:", "https:"),
        lambda place: {"HTTPS_PROXY": place.replying(407)},
        ("of HTTPS_PROXY refuses", "407", "NO_PROXY=mlflow.example"),
    ),
    "proxy that forbids the host": Situation(
        lambda place: INTERNAL.replace("http:", "https:"),
        lambda place: {"HTTPS_PROXY": place.replying(403)},
        ("of HTTPS_PROXY refuses", "403", "NO_PROXY=mlflow.example"),
    ),
    "a variable that is no number": Situation(
        lambda place: place.server.address,
        lambda place: {"MLFLOW_HTTP_REQUEST_TIMEOUT": "soon"},
        ("MLflow's client cannot be set up", "MLFLOW_HTTP_REQUEST_TIMEOUT"),
    ),
    "a package that is missing": Situation(
        lambda place: place.server.address,
        lambda place: {"MLFLOW_TRACKING_AWS_SIGV4": "true"},
        ("needs a package", "requests_auth_aws_sigv4"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.usefixtures("nothing_starts")
def test_what_the_user_has_to_change_is_one_sentence_before_anything_is_trained(
    place, tmp_path, monkeypatch, capsys, name
):
    situation = REFUSED[name]
    address = prepare(situation, place, monkeypatch)
    answer = command("run", address, tmp_path, capsys)
    assert answer.code == 2, answer.err
    [sentence] = answer.complaints
    assert [words for words in situation.said if words not in sentence] == []
    assert "mistyped99" not in answer.err


AWAY = {
    "gateway without a server": Situation(lambda place: place.replying(503), said=("Service Unavailable",)),
    "proxy that is away": Situation(
        lambda place: INTERNAL,
        lambda place: {"HTTP_PROXY": f"http://127.0.0.1:{free_port()}"},
        ("through the proxy http://127.0.0.1", "of HTTP_PROXY", "Connection refused", "NO_PROXY=mlflow.example"),
    ),
    "proxy that does not reach the server": Situation(
        lambda place: INTERNAL.replace("http:", "https:"),
        lambda place: {"HTTPS_PROXY": place.replying(502)},
        ("through the proxy", "502"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", AWAY)
def test_an_outage_is_waited_for(place, tmp_path, monkeypatch, capsys, name):
    situation = AWAY[name]
    address = prepare(situation, place, monkeypatch)
    plan, store = plan_at(address, tmp_path)
    with pytest.raises(Unreachable):
        Tracker(plan, store).connect()
    answer = command("sync", address, tmp_path, capsys, "--tracker-wait", "0.2")
    assert answer.code == 1
    behind = next(line for line in answer.complaints if line.startswith("behind:"))
    assert [words for words in situation.said if words not in behind] == []


@pytest.mark.usefixtures("nothing_starts")
def test_an_experiment_that_is_deleted_on_the_server(place, tmp_path, capsys):
    client = MlflowClient(place.server.address)
    experiment = client.create_experiment("demo")
    client.delete_experiment(experiment)
    try:
        answer = command("run", place.server.address, tmp_path, capsys)
    finally:
        client.restore_experiment(experiment)
        client.rename_experiment(experiment, "put away")
    assert answer.code == 2
    [sentence] = answer.complaints
    assert f"mlflow experiments restore --experiment-id {experiment}" in sentence


@pytest.mark.usefixtures("nothing_starts")
def test_a_server_that_keeps_artifacts_in_a_folder_that_this_machine_cannot_have(place, tmp_path, capsys):
    (tmp_path / "srv").touch()
    client = MlflowClient(place.server.address)
    experiment = client.create_experiment("demo", artifact_location=f"file://{tmp_path}/srv/mlruns")
    try:
        answer = command("run", place.server.address, tmp_path, capsys)
    finally:
        client.rename_experiment(experiment, "elsewhere")
    assert answer.code == 2
    [sentence] = answer.complaints
    assert f"cannot write artifacts: [Errno 20] Not a directory: '{tmp_path}/srv" in sentence
    assert "--artifacts-destination" in sentence


def test_a_server_elsewhere_that_leaves_artifacts_to_a_folder_is_warned_of_once(place, tmp_path, monkeypatch, caplog):
    folder = tmp_path / "srv" / "mlruns"
    client = MlflowClient(place.server.address)
    client.create_experiment("in a folder", artifact_location=str(folder))
    monkeypatch.setenv("HTTP_PROXY", place.guarded())  # leads to the server whatever the address is
    for address in ("http://10.1.2.3:5000", "http://10.1.2.3:5000", "http://localhost:5000"):
        plan, store = plan_at(address, tmp_path, "in a folder")
        Tracker(plan, store).connect()
    [warning] = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert f"in the folder {folder}" in warning
    assert "--artifacts-destination" in warning


@pytest.mark.usefixtures("nothing_starts")
def test_a_server_that_leaves_artifacts_to_a_storage_without_our_credentials(place, tmp_path, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client = MlflowClient(place.server.address)
    experiment = client.create_experiment("demo", artifact_location="s3://bucket/mlruns")
    try:
        answer = command("run", place.server.address, tmp_path, capsys)
    finally:
        client.rename_experiment(experiment, "in a storage")
    assert answer.code == 2
    [sentence] = answer.complaints
    assert "the storage of MLflow's artifacts failed: " in sentence
    assert "AWS_ACCESS_KEY_ID" in sentence


def test_a_token_that_expires_in_the_middle_is_told_once_and_delivered_later(place, tmp_path, caplog):
    """The gateway's words are none of MLflow's, whose client takes them for an outage."""
    expired: list[Reply] = []
    address = place.guarded(instead=lambda method, path: expired[0] if expired else None)
    plan, store = plan_at(address, tmp_path, "expiring")
    tracker = Tracker(plan, store)
    flusher = Flusher(tracker, plan.trials, quick())
    tracker.sync(plan.students[0])
    expired.append((401, [], b'{"error": "the token has expired"}'))
    for trial in plan.students[:3]:
        finish(trial, 0.2, 0.3)
        flusher.reported(trial.id, {})
    with caplog.at_level(logging.WARNING):
        delivery = flusher.close(wait_s=30)
    assert (delivery.complete, delivery.trials) == (False, 3)
    assert "(401 Unauthorized: the token has expired): set MLFLOW_TRACKING_USERNAME" in delivery.reason
    assert [entry.getMessage().count(delivery.reason) for entry in caplog.records] == [1]
    expired.clear()
    assert Flusher(Tracker(plan, store), plan.trials, quick()).close(wait_s=30).complete


def test_a_token_revoked_in_the_middle_of_a_run_costs_no_result(place, tmp_path, capsys):
    """The command warns once, prints the table from the store, and `sync` delivers the rest when the token works again."""
    delivered: list[str] = []
    denied = (401, [], b'{"error": "the token was revoked"}')

    def revoked(method: str, path: str) -> Reply | None:
        if delivered:
            return denied
        delivered.extend(filter(None, [path.endswith("runs/update") and path]))  # the first trial has got its status
        return None

    mood = [revoked]
    address = place.guarded(instead=lambda method, path: mood[0](method, path))
    plan, store = plan_at(address, tmp_path, "revoked")
    for trial in plan.trials:
        finish(trial, 0.2, 0.3)
    sets = [
        part for one in (*SMALL, f"tracking.uri='{address}'", "tracking.experiment=revoked") for part in ("--set", one)
    ]
    stillhouse, options = runner(capsys), (tmp_path / "study.yaml", "--store", store.root, *sets)
    answer = stillhouse("run", *options, "--json")
    assert answer.code == 1
    assert [trial["status"] for trial in answer.json["trials"]] == ["finished"] * len(plan.trials)
    warning, behind = (line for line in answer.complaints if "the token was revoked" in line)
    assert warning.startswith("MLflow refuses trial")
    assert behind.startswith("behind: ")
    assert "Traceback" not in answer.err
    mood[0] = lambda method, path: None
    assert stillhouse("sync", *options).code == 0
    compared = stillhouse("compare", *options, "--json")
    assert (compared.code, compared.json["trials"]) == (0, with_runs(answer.json["trials"], compared.json["trials"]))
    client = MlflowClient(place.server.address)
    for trial in compared.json["trials"]:
        points = client.get_metric_history(trial["mlflow_run_id"], "epoch")
        assert [point.step for point in points] == [1, 2]


def with_runs(trials: list[dict[str, Any]], others: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return trials with the runs of others, which are known only when MLflow has them."""
    return [trial | {"mlflow_run_id": other["mlflow_run_id"]} for trial, other in zip(trials, others, strict=True)]


class MlflowsPasswords(Place):
    """Let MLflow itself ask for the password for which a proxy asks elsewhere."""

    def guarded(self, **settings: object) -> str:
        """Return the address of the server."""
        assert settings == {"wanted": BASIC}
        return self.server.address


@pytest.fixture
def passwords(place: Place, password_server: PasswordServer) -> Place:
    return MlflowsPasswords(password_server, place.folder, place.stack)


@pytest.mark.parametrize("name", ["user and password", "password in the address"])
def test_a_user_of_mlflow_delivers_trials(passwords, password_server, tmp_path, monkeypatch, name):
    plan, store = plan_at(prepare(WORKING[name], passwords, monkeypatch), tmp_path, name)
    Tracker(plan, store).sync(plan.students[0])
    (tmp_path / "out").mkdir()
    folder = download_student(open_client(plan, store, reading=True), plan.students[0].id, tmp_path / "out")
    assert (folder / BEST).read_bytes() == (plan.students[0].directory / BEST).read_bytes()
    assert name in password_server.experiments()


@pytest.mark.parametrize("name", ["no password", "wrong password"])
@pytest.mark.usefixtures("nothing_starts")
def test_a_user_whom_mlflow_does_not_know(passwords, tmp_path, monkeypatch, capsys, name):
    situation = REFUSED[name]
    answer = command("run", prepare(situation, passwords, monkeypatch), tmp_path, capsys)
    assert answer.code == 2, answer.err
    [sentence] = answer.complaints
    assert [words for words in (*situation.said, "You are not authenticated") if words not in sentence] == []
    assert "mistyped99" not in answer.err


@pytest.mark.parametrize("permission", ["READ", "DENY"])
@pytest.mark.usefixtures("nothing_starts")
def test_a_user_who_may_not_write(passwords, password_server, tmp_path, monkeypatch, capsys, permission):
    """With ``DENY`` the user may not even read the experiment."""
    password_server.grant(USER, password_server.create_experiment(permission), permission)
    address = prepare(WORKING["user and password"], passwords, monkeypatch)
    answer = command("run", address, tmp_path, capsys, "--set", f"tracking.experiment={permission}")
    assert answer.code == 2, answer.err
    [sentence] = answer.complaints
    assert "Permission denied" in sentence
    assert "; ask for permission on the experiment, name another with tracking.experiment, or set MLFLOW_" in sentence


def test_a_password_that_is_changed_in_the_middle_is_told_once(
    passwords, password_server, tmp_path, monkeypatch, caplog
):
    plan, store = plan_at(prepare(WORKING["user and password"], passwords, monkeypatch), tmp_path, "changed")
    tracker = Tracker(plan, store)
    flusher = Flusher(tracker, plan.trials, quick())
    tracker.sync(plan.students[0])
    password_server.set_password(USER, "no longer " + PASSWORD)
    try:
        for trial in plan.students[:2]:
            finish(trial, 0.2, 0.3)
            flusher.reported(trial.id, {})
        with caplog.at_level(logging.WARNING):
            delivery = flusher.close(wait_s=30)
    finally:
        password_server.set_password(USER, PASSWORD)
    assert (delivery.complete, delivery.trials) == (False, 2)
    assert "You are not authenticated" in delivery.reason
    assert "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD" in delivery.reason
    assert [entry.getMessage().count(delivery.reason) for entry in caplog.records] == [1]


def test_the_page_lists_each_situation():
    page = (Path(__file__).parents[2] / "docs" / "mlflow.md").read_text(encoding="utf-8")
    listed = " ".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| "))
    assert [name for name in (*REFUSED, *AWAY) if name not in listed] == []
