"""A study on a cluster of separate processes: it outlives its client and a node, and its numbers are those of a laptop.

Ray with a head and two workers and token authentication, MLflow on PostgreSQL, artifacts over the S3 protocol.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.mlflow_server import MlflowServer
from tests.contract.postgres import postgres
from tests.contract.s3_server import BUCKET, s3_server
from tests.e2e.conftest import TINY, Ran
from tests.e2e.ray_processes import RayProcesses, ray_processes
from tests.e2e.stillhouse import COMMAND, ROOT, Answer, deterministic, stillhouse

PATIENCE_S = 240


@dataclass(frozen=True)
class Client:
    """Be a user with nothing but the addresses, the token and the study's file."""

    cluster: RayProcesses
    study: Path
    store: Path
    tracking: str

    def __call__(self, command: str, *options: object, **variables: str) -> Answer:
        """Run a command about the study to its end."""
        return stillhouse(command, self.study, *self.options, *options, **self.variables | variables)

    @property
    def options(self) -> tuple[object, ...]:
        return ("--store", self.store, "--set", f"tracking.uri={self.tracking}")

    @property
    def variables(self) -> dict[str, str]:
        return self.cluster.credentials | {"RAY_API_SERVER_ADDRESS": self.cluster.address}

    @contextmanager
    def following(self) -> Iterator[subprocess.Popen[str]]:
        """Follow the log in a process that is killed afterwards: the lid is closed."""
        words = [*COMMAND, "logs", "-f", self.study, *self.options]
        environment = os.environ | self.variables | {"PYTHONPATH": str(ROOT)}
        process = subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True, env=environment)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()

    def ended(self) -> Answer:
        """Ask how the submission stands until it has ended."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self("status", "--json")
            if answer.json["state"] not in ("submitted", "running"):
                return answer
            time.sleep(1)  # as a user does who asks again
        pytest.fail(f"still running after {PATIENCE_S} s: {self('logs').out[-3000:]}")


@pytest.mark.slow
def test_a_study_outlives_its_client_and_a_node(ran: Ran, tmp_path: Path) -> None:
    with postgres() as database, s3_server(tmp_path / "s3") as s3:
        server = MlflowServer(tmp_path / "mlflow", database, f"s3://{BUCKET}/artifacts", s3.variables)
        try:
            server.start()
            with ray_processes() as cluster:
                client = Client(cluster, tmp_path / "tiny.yaml", tmp_path / "store", server.address)
                client.study.write_text(TINY)
                assert client("submit").code == 0
                lose_a_node_and_close_the_lid(client)
                end = client.ended()
                assert (end.code, end.json["state"]) == (0, "finished"), client("logs").out[-3000:]
                look_at_what_is_left(client, ran, tmp_path)
        finally:
            server.kill()


def lose_a_node_and_close_the_lid(client: Client) -> None:
    """Kill a node that trains a student, once one has committed an epoch, then the client; one node is left."""
    with client.following():
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            begun = len(list(client.store.glob("trials/*/history.jsonl"))) > 1  # the teacher and a student
            node = client.cluster.training() if begun else None
            if node is not None:
                client.cluster.kill(node)
                return
            time.sleep(0.02)  # other processes tell nobody
    pytest.fail("no student was seen in training")


def look_at_what_is_left(client: Client, ran: Ran, tmp_path: Path) -> None:
    """From other processes: the numbers of an undisturbed run, the log, and the student from S3."""
    compared = client("compare", "--json")
    assert deterministic(compared.json["trials"]) == deterministic(ran.answer.json["trials"])
    log = client("logs").out
    assert "worker lost" in log or "preempted" in log
    elsewhere = ("export", client.study, "--store", tmp_path / "empty", "--set", f"tracking.uri={client.tracking}")
    exported = stillhouse(*elsewhere, "--to", tmp_path / "out")
    assert exported.code == 0, exported.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.py",
        "provenance.json",
        "student.pth",
    ]
    again = client("submit", "--json")
    assert (again.code, again.json["new"], again.json["state"]) == (0, False, "finished")
    stopping = client("stop")
    assert stopping.code == 2
    assert "nothing to stop" in stopping.err


@pytest.mark.slow
def test_a_submission_can_be_stopped_and_resumed_and_mistakes_are_sentences(tmp_path: Path) -> None:
    with ray_processes(workers=1) as cluster:
        study = tmp_path / "tiny.yaml"
        study.write_text(TINY.partition("search:")[0])
        client = Client(cluster, study, tmp_path / "store", f"sqlite:///{tmp_path / 'mlflow.db'}")
        for variables, sentence in [
            ({"RAY_AUTH_TOKEN": "another-token-of-somebody"}, "refuses this token"),
            ({"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": "disabled"}, "requires a token"),
        ]:
            answer = client("submit", **variables)
            assert (answer.code, sentence in answer.err, len(answer.err.splitlines())) == (2, True, 1), answer.err
        unwritable = client("submit", "--set", "name=other", "--store", "/proc/store", "--json")
        assert unwritable.code == 0
        failed = followed_to_its_end(client, unwritable.json["id"])
        assert failed.code == 1
        assert "cannot write to the store /proc/store" in failed.out
        first = client("submit", "--json").json["id"]
        stop_when_it_trains(client)
        assert client.ended().json["state"] == "stopped", client("logs").out
        refused = client("submit")
        assert (refused.code, "stillhouse resume" in refused.err) == (2, True)
        second = client("resume", "--json").json["id"]
        assert second == f"{first.rpartition('-')[0]}-2"
        assert client.ended().json["state"] == "finished", client("logs").out
        listed = stillhouse("list", "--store", client.store, "--json", **client.variables).json["submissions"]
        assert {one["id"] for one in listed} == {second, unwritable.json["id"]}


def followed_to_its_end(client: Client, name: str) -> Answer:
    return stillhouse("logs", "-f", name, "--store", client.store, **client.variables)


def stop_when_it_trains(client: Client) -> None:
    with client.following() as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 1/" in line:
                assert client("stop").code == 0
                return
    pytest.fail("nothing trained")
