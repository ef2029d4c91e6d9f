"""Give Ray's cluster launcher machines that are folders: what it would run by ssh runs as a process here.

A machine's home is its folder, its address one of this computer's loopback addresses. ``terminate_node`` kills what was
started in it, as a cloud does with a machine. Nothing is done as root here: such commands (mounts, the timer that switches a
machine off) only stand in ``sudo.log`` of the machine.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from ray.autoscaler.command_runner import CommandRunnerInterface
from ray.autoscaler.node_provider import NodeProvider
from ray.autoscaler.tags import NODE_KIND_WORKER, TAG_RAY_NODE_KIND

BOOT_S = 20.0  # a cloud's machine takes longer; this is longer than a run waits before it says for what
MARK = "STILLHOUSE_TEST_MACHINE"
LOCK = threading.Lock()


class ProcessProvider(NodeProvider):
    """Keep machines as folders with their tags below ``provider.folder``."""

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        self.folder = Path(provider_config["folder"])

    def non_terminated_nodes(self, tag_filters: dict[str, str]) -> list[str]:
        found = {path.parent.name: json.loads(path.read_text()) for path in self.folder.glob("*/tags.json")}
        return [name for name, tags in found.items() if tag_filters.items() <= tags.items()]

    def is_running(self, node_id: str) -> bool:
        return (self.folder / node_id / "tags.json").exists()

    def is_terminated(self, node_id: str) -> bool:
        return not self.is_running(node_id)

    def node_tags(self, node_id: str) -> dict[str, str]:
        return dict(json.loads((self.folder / node_id / "tags.json").read_text()))

    def external_ip(self, node_id: str) -> str:
        return address_of(node_id)

    def internal_ip(self, node_id: str) -> str:
        return address_of(node_id)

    def create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> None:
        if tags[TAG_RAY_NODE_KIND] == NODE_KIND_WORKER:
            time.sleep(BOOT_S)
        for _ in range(count):
            with LOCK:
                machine = self.folder / f"m{len(list(self.folder.iterdir()))}"
                machine.mkdir()
            (machine / "tags.json").write_text(json.dumps(tags))

    def set_node_tags(self, node_id: str, tags: dict[str, str]) -> None:
        (self.folder / node_id / "tags.json").write_text(json.dumps(self.node_tags(node_id) | tags))

    def terminate_node(self, node_id: str) -> None:
        switch_off(self.folder / node_id)
        (self.folder / node_id / "tags.json").unlink()

    def get_command_runner(self, *arguments: Any, **options: Any) -> "Runner":
        node_id = options.get("node_id") or arguments[1]
        return Runner(self.folder / node_id, self.provider_config["dashboard_port"])


def address_of(node_id: str) -> str:
    """Return the loopback address of a machine; Ray tells machines apart by their addresses."""
    return f"127.0.0.{1 + int(node_id.removeprefix('m'))}"


def switch_off(machine: Path) -> None:
    """Kill all that was started on a machine."""
    for number in started_in(machine):
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def started_in(machine: Path) -> list[int]:
    """Return the processes that were started on a machine, by the mark in their environment."""
    mark, found = f"{MARK}={machine}\0".encode(), []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in environment.read_bytes():
                found.append(int(environment.parent.name))
    return found


class Runner(CommandRunnerInterface):
    """Run commands with a machine's folder as their home."""

    def __init__(self, machine: Path, dashboard_port: int) -> None:
        self._machine, self._dashboard_port = machine, dashboard_port

    def run(self, cmd: str | None = None, timeout: int = 120, port_forward: Any = None, **options: Any) -> str:  # type: ignore[override]
        if cmd is None:
            [(local, _)] = port_forward or [(0, 0)]
            forward(local, self._dashboard_port)
            return ""
        if cmd.endswith("/ray stop"):  # that would end everybody's Ray on this computer; what it is for, is killed
            return ""
        if "sudo " in cmd:
            with (self._machine / "sudo.log").open("a") as log:
                log.write(f"{cmd}\n")
            return ""
        given = options.get("environment_variables") or {}
        variables = {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment = {**inherited, **variables, "HOME": str(self._machine), MARK: str(self._machine)}
        environment["SPT_NOENV"] = "1"  # processes that rename themselves keep the mark readable
        environment["MACHINE_IP"] = address_of(self._machine.name)
        done = subprocess.run(
            ["bash", "-c", cmd],
            env=environment,
            cwd=self._machine,
            stdout=subprocess.PIPE,
            text=True,
            timeout=timeout,
            check=False,
        )
        print(done.stdout)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, cmd)
        return done.stdout

    def run_rsync_up(self, source: str, target: str, options: Any = None) -> None:
        self._copy(Path(source), self._place(target))

    def run_rsync_down(self, source: str, target: str, options: Any = None) -> None:
        self._copy(self._place(source), Path(target))

    def remote_shell_command_str(self) -> str:
        return f"cd {self._machine}"

    def run_init(self, *, as_head: bool, file_mounts: dict[str, str], sync_run_yet: bool) -> bool | None:
        return None

    def _place(self, path: str) -> Path:
        return Path(re.sub("^~", str(self._machine), path))

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)


def forward(local: int, remote: int) -> None:
    """Pass bytes between a local port and another until this process ends."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", remote)) as other:
                back = threading.Thread(target=pump, args=(other, self.request), daemon=True)
                back.start()
                pump(self.request, other)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

    with Server(("127.0.0.1", local), Handler) as server:
        server.serve_forever()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy bytes until the source ends."""
    try:
        while content := source.recv(1 << 16):
            sink.sendall(content)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
