"""A Ray of our own is out of reach: from other machines by its addresses, from other users here by its token."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from orchestrator.execution.ray_cluster import start_ray, stop_ray
from tests.ray.listeners import LOOPBACK, family, listened_at

ASK = "import sys; from ray._raylet import GcsClient; print(GcsClient(address=sys.argv[1]).internal_kv_keys(b'', None))"


@pytest.fixture(scope="module")
def own_ray() -> Iterator[str]:
    """A local Ray with an actor at work, by the address that its processes use."""
    start_ray(None)
    worker = ray.remote(Idle).remote()
    ray.get(worker.ping.remote())  # type: ignore[attr-defined]
    yield str(ray.get_runtime_context().gcs_address)
    stop_ray()


class Idle:
    def ping(self) -> None:
        pass


def test_every_port_listens_on_loopback_only(own_ray: str) -> None:
    del own_ray
    listeners = listened_at(family(os.getpid()))
    assert len(listeners) > 5  # the head's services, the driver and the worker
    assert set(listeners) <= LOOPBACK


@pytest.mark.parametrize(
    "token",
    [
        {"RAY_AUTH_MODE": "disabled"},
        {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
    ],
    ids=["none", "wrong"],
)
def test_a_client_without_the_token_is_refused(token: dict[str, str], own_ray: str) -> None:
    answer = ask(own_ray, token)
    assert answer.returncode == 1
    assert "AuthenticationError" in answer.stderr


def test_the_token_opens(own_ray: str) -> None:
    own = {name: os.environ[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
    assert "session_name" in ask(own_ray, own).stdout


def test_the_token_stands_on_no_command_line_and_in_no_log(own_ray: str) -> None:
    del own_ray
    secret = os.environ["RAY_AUTH_TOKEN"].encode()
    lines = [(Path("/proc") / str(pid) / "cmdline").read_bytes() for pid in family(os.getpid())]
    logs = [path.read_bytes() for path in Path(ray._private.worker._global_node.get_logs_dir_path()).glob("*.*")]  # type: ignore[attr-defined]
    assert len(lines) > 3
    assert logs
    assert not [text for text in lines + logs if secret in text]


def ask(address: str, token: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Read from Ray's head with this token in another process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    command = [sys.executable, "-c", ASK, address]
    return subprocess.run(command, env=environment | token, capture_output=True, text=True, timeout=60, check=False)
