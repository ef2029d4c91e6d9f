"""Make machines of one computer: network namespaces on a switch, whose cables can be pulled."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence

import pytest

NET = "10.77.0"
SWITCH = "switch"


class Machines:
    """Own some machines on one switch; each has the address that ``address`` tells, and a loopback of its own."""

    def __init__(self, names: Sequence[str]) -> None:
        self._prefix, self._names = f"sh{os.getpid()}-", tuple(names)

    def __enter__(self) -> "Machines":
        try:
            self._build()
        except (OSError, subprocess.CalledProcessError) as error:
            self._remove()
            pytest.skip(f"needs network namespaces, a bridge, ip of iproute2, and root: {error}")
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def address(self, name: str) -> str:
        """Return a machine's address."""
        return f"{NET}.{self._names.index(name) + 1}"

    def command(self, name: str, *words: object) -> list[str]:
        """Return the command line that runs ``words`` on a machine."""
        return ["ip", "netns", "exec", self._prefix + name, *map(str, words)]

    def processes(self, name: str) -> list[int]:
        """Return the processes on a machine."""
        return [int(pid) for pid in _ip("netns", "pids", self._prefix + name).split()]

    def end(self, name: str) -> None:
        """Kill what runs on a machine."""
        for pid in self.processes(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def cut_off(self, name: str) -> Iterator[None]:
        """Pull a machine's cable for the length of a block: packets are lost, and nobody is told."""
        self._port(name, "down")
        try:
            yield
        finally:
            self._port(name, "up")

    def _port(self, name: str, state: str) -> None:
        _ip("-n", self._prefix + SWITCH, "link", "set", f"to-{name}", state)

    def _build(self) -> None:
        switch = self._prefix + SWITCH
        _ip("netns", "add", switch)
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        for name in self._names:
            self._plug_in(name, switch)

    def _plug_in(self, name: str, switch: str) -> None:
        own = self._prefix + name
        _ip("netns", "add", own)
        _ip("-n", own, "link", "add", "eth0", "type", "veth", "peer", "name", f"to-{name}", "netns", switch)
        _ip("-n", own, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", own, "link", "set", device, "up")
        _ip("-n", switch, "link", "set", f"to-{name}", "master", "bridge", "up")

    def _remove(self) -> None:
        there = {line.split()[0] for line in _ip("netns", "list").splitlines() if line}
        for name in (*self._names, SWITCH):
            if self._prefix + name in there:
                self.end(name)
                _ip("netns", "delete", self._prefix + name)


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def cut_off_for(machines: Machines, name: str, seconds: float) -> None:
    """Pull a machine's cable for some seconds."""
    with machines.cut_off(name):
        time.sleep(seconds)
