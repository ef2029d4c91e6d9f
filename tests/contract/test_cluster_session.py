"""A cluster that is brought up is taken down again, whatever happens in between; machines left running cost money."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from orchestrator.clusters import lifetime
from orchestrator.clusters.files import launcher_of, token_of
from orchestrator.clusters.launcher import Launcher
from orchestrator.clusters.lifetime import cluster_for_a_while, take_down
from orchestrator.clusters.session import ClusterSession, exit_code
from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.submit.job_request import JobRequest
from orchestrator.submit.shipment import Shipment
from orchestrator.submit.states import SubmissionState
from orchestrator.submit.submissions import Submission, SubmissionResult
from tests.clock import own_clock
from tests.unit.orchestrator.clusters.described import cluster

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).with_name("stand_in_ray.py")


@pytest.fixture
def notes(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("STAND_IN_NOTES", str(tmp_path / "notes"))
    return tmp_path / "notes"


@pytest.fixture
def launcher(tmp_path, notes) -> Launcher:
    return Launcher(tmp_path / "ray.yaml", tmp_path / "log", (sys.executable, str(STAND_IN)))


def verbs(notes: Path) -> list[str]:
    """Return what Ray's launcher was asked to do; the tunnel is opened beside everything else."""
    return [line for line in notes.read_text().split() if not line.endswith("-done") and line != "dashboard"]


def test_launcher_says_why_ray_failed(launcher, monkeypatch):
    monkeypatch.setenv("STAND_IN", "up=fail")
    with pytest.raises(OperationError, match=r"ray up failed: the provider refuses up \(all of it: .*log\)"):
        launcher.up()


def test_launcher_renews_a_tunnel_and_ends_it_with_its_block(launcher, notes, monkeypatch):
    monkeypatch.setattr("orchestrator.clusters.launcher.REOPEN_S", 0.0)
    monkeypatch.setenv("STAND_IN", "dashboard=fail-once")
    with launcher.tunnel(1):
        wait_for(lambda: notes.exists() and notes.read_text().split() == ["dashboard", "dashboard"])
    assert "tunnel" not in [thread.name for thread in threading.enumerate()]


def test_launcher_ends_what_it_started_when_interrupted(launcher, monkeypatch, notes):
    monkeypatch.setenv("STAND_IN", "up=hang")
    monkeypatch.setattr(subprocess.Popen, "wait", interrupted_once(subprocess.Popen.wait))
    with pytest.raises(KeyboardInterrupt):
        launcher.up()
    assert "up-done" not in (notes.read_text() if notes.exists() else "")


def interrupted_once(wait: Callable[..., int]) -> Callable[..., int]:
    """Return ``wait`` that is interrupted the first time, as by Ctrl-C."""
    calls = iter([True])

    def waiting(self: object, timeout: float | None = None) -> int:
        if next(calls, False):
            raise KeyboardInterrupt
        return wait(self, timeout)

    return waiting


@pytest.mark.parametrize("error", [OperationError("x"), KeyboardInterrupt(), SystemExit(1)])
def test_cluster_is_taken_down_after_any_end(launcher, notes, error):
    with pytest.raises(type(error)), cluster_for_a_while(launcher, "tiny", keep=False):
        raise error
    assert verbs(notes) == ["up", "down"]


def test_cluster_that_came_up_half_way_is_taken_down(launcher, notes, monkeypatch):
    monkeypatch.setenv("STAND_IN", "up=fail")
    with pytest.raises(OperationError, match="ray up failed"), cluster_for_a_while(launcher, "tiny", keep=False):
        pytest.fail("there is no cluster")
    assert verbs(notes) == ["up", "down"]


def test_kept_cluster_stays(launcher, notes):
    with cluster_for_a_while(launcher, "tiny", keep=True):
        pass
    assert verbs(notes) == ["up"]


def test_taking_down_is_tried_again(launcher, notes, monkeypatch):
    monkeypatch.setenv("STAND_IN", "down=fail-once")
    paused: list[float] = []
    own_clock(monkeypatch, lifetime, sleep=paused.append)
    take_down(launcher, "tiny", pause_s=0.25)
    assert verbs(notes) == ["down", "down"]
    assert 0.25 in paused, "a provider that is busy gets time"


def test_machines_that_cannot_be_ended_are_told_loudly(launcher, monkeypatch):
    monkeypatch.setenv("STAND_IN", "down=fail")
    with pytest.raises(OperationError, match=r"MAY STILL RUN AND COST MONEY.*the provider refuses down"):
        take_down(launcher, "tiny", pause_s=0.0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_run_but_not_the_taking_down(number, launcher, notes, tmp_path):
    """Send the signal while the cluster comes up, and again, twice, while it is taken down."""
    code = (
        "import sys; from pathlib import Path\n"
        "from orchestrator.clusters.launcher import Launcher\n"
        "from orchestrator.clusters.lifetime import cluster_for_a_while\n"
        f"launcher = Launcher(Path('f'), Path({str(tmp_path / 'log')!r}), {launcher.command!r})\n"
        "with cluster_for_a_while(launcher, 'tiny', keep=False): pass\n"
    )
    variables = {**os.environ, "STAND_IN": "up=hang,down=slow", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], env=variables, stderr=subprocess.PIPE)
    wait_for(lambda: notes.exists() and "up" in notes.read_text())
    process.send_signal(number)
    wait_for(lambda: "down" in notes.read_text())
    for _ in range(2):
        process.send_signal(number)
    process.communicate(timeout=30)
    assert notes.read_text().split() == ["up", "down", "down-done"]
    assert process.returncode != 0


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@dataclass
class Cluster:
    """Be the submissions of a cluster that runs one study; ``script`` holds its states, or what is raised instead."""

    script: list[SubmissionState | BaseException]
    refusals: list[BaseException] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def submit(self, job_request: JobRequest) -> SubmissionResult:
        self.asked.append("submit")
        if self.refusals:
            raise self.refusals.pop(0)
        return SubmissionResult(self._now(SubmissionState.SUBMITTED), new=True)

    def resume(self, job_request: JobRequest) -> SubmissionResult:
        self.asked.append("resume")
        return SubmissionResult(self._now(SubmissionState.SUBMITTED), new=True)

    def status(self, name: str) -> Submission:
        found = self.script[0] if len(self.script) == 1 else self.script.pop(0)
        if isinstance(found, BaseException):
            raise found
        return self._now(found)

    def stop(self, name: str) -> Submission:
        self.asked.append("stop")
        self.script[:] = [SubmissionState.STOPPED]
        return self._now(SubmissionState.RUNNING)

    def logs(self, name: str) -> str:
        return "epoch 1\n"

    def all(self) -> list[Submission]:
        return []

    @staticmethod
    def _now(state: SubmissionState) -> Submission:
        return Submission("stillhouse-0-1", "stillhouse-0", "tiny", state, "", 1)


@pytest.fixture
def session(tmp_path, monkeypatch) -> Callable[..., ClusterSession]:
    """Return a function that makes a session for a cluster whose head's disk is a folder here, with one trial on it."""
    monkeypatch.setattr("orchestrator.submit.logs.LOOK_S", 0.0)
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_MODE"):
        monkeypatch.setenv(name, "")  # so that what the session sets is undone
    described = cluster("machines", storage={"kind": "folder", "path": str(tmp_path / "there")})
    trial = Path(described.store) / "trials" / "abc"
    trial.mkdir(parents=True)
    (trial / "history.jsonl").write_text("{}\n")
    store = Store(tmp_path / "here")
    store.prepare()
    job_request = JobRequest("stillhouse-0", "tiny", Shipment({}), described.store)

    def make(found: Cluster, **options: object) -> ClusterSession:
        return ClusterSession(
            described, job_request, store, connect=lambda *_: found, reach_s=0.3, look_s=0.01, **options
        )

    return make


def test_session_ends_with_results_here_and_no_machine_there(session, launcher, notes, capfd):
    end = session(Cluster([SubmissionState.RUNNING, SubmissionState.FINISHED])).run(launcher)
    assert end.state == SubmissionState.FINISHED
    assert verbs(notes) == ["up", "rsync-down", "down"]
    assert (session(Cluster([])).store.trial_dir("abc") / "history.jsonl").exists()
    assert "epoch 1" in capfd.readouterr().err


def test_session_asks_the_tunnel_by_the_clusters_token_for_the_clusters_store(session, launcher, monkeypatch):
    asked: list[tuple[str, str, str, str]] = []
    tunnels: list[int] = []
    tunnel = Launcher.tunnel

    def connected(address: str, store: str) -> Cluster:
        asked.append((address, store, os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"]))
        return Cluster([SubmissionState.FINISHED])

    monkeypatch.setattr(Launcher, "tunnel", lambda self, port: (tunnels.append(port), tunnel(self, port))[1])
    one = replace(session(Cluster([])), connect=connected)
    one.run(launcher)
    token = token_of(one.cluster, one.store)
    assert asked == [(f"http://127.0.0.1:{tunnels[0]}", one.cluster.store, "token", token)]


@pytest.mark.parametrize(("state", "code"), [("FINISHED", 0), ("STOPPED", 130), ("FAILED", 1)])
def test_the_end_of_a_submission_is_the_exit_code(state, code):
    assert exit_code(Cluster._now(SubmissionState[state])) == code


def test_session_goes_on_with_what_a_kept_cluster_has(session, launcher):
    found = Cluster(
        [SubmissionState.FINISHED], refusals=[UserError("failed: stillhouse resume starts another attempt")]
    )
    session(found).run(launcher)
    assert found.asked == ["submit", "resume"]


def test_session_waits_for_a_dashboard_that_comes_late(session, launcher):
    found = Cluster([SubmissionState.FINISHED], refusals=[OperationError("no answer"), OperationError("no answer")])
    assert session(found).run(launcher).state == SubmissionState.FINISHED


def test_session_gives_up_on_a_dashboard_that_never_comes(session, launcher, notes):
    found = Cluster([], refusals=[OperationError("no Ray cluster answers")] * 1000)
    with pytest.raises(OperationError, match="no Ray cluster answers"):
        session(found).run(launcher)
    assert verbs(notes)[-1] == "down"


def test_interrupted_session_stops_the_study_fetches_and_takes_down(session, launcher, notes):
    found = Cluster([SubmissionState.RUNNING, KeyboardInterrupt(), SubmissionState.RUNNING])
    with pytest.raises(KeyboardInterrupt):
        session(found).run(launcher)
    assert found.asked == ["submit", "stop"]
    assert verbs(notes) == ["up", "rsync-down", "down"]


def test_interrupted_session_on_a_kept_cluster_lets_the_study_run(session, launcher, notes):
    found = Cluster([SubmissionState.RUNNING, KeyboardInterrupt()])
    with pytest.raises(KeyboardInterrupt):
        session(found, keep=True).run(launcher)
    assert "stop" not in found.asked
    assert "down" not in verbs(notes)


def test_results_that_do_not_come_leave_no_machine_running(session, launcher, notes, monkeypatch, caplog):
    monkeypatch.setenv("STAND_IN", "rsync-down=fail")
    assert session(Cluster([SubmissionState.FINISHED])).run(launcher).state == SubmissionState.FINISHED
    assert "could not fetch results" in caplog.text
    assert verbs(notes)[-1] == "down"


def test_token_is_made_once_and_only_for_this_user(tmp_path):
    store = Store(tmp_path)
    first = launcher_of(cluster("machines"), store)
    token = token_of(cluster("machines"), store)
    assert len(token) == 64
    assert launcher_of(cluster("machines"), store) == first
    assert token_of(cluster("machines"), store) == token
    assert (first.file.parent / "auth_token").stat().st_mode & 0o077 == 0
    assert token not in first.file.read_text()


def test_platforms_without_a_launcher_are_told(tmp_path):
    with pytest.raises(UserError, match="does not start slurm"):
        launcher_of(cluster("slurm"), Store(tmp_path))
