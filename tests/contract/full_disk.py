"""Run a command whose store is a small disk that fills up: a file system of its own, which only the command sees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IN_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
FILL = "cat /dev/zero > {disk}/filler 2> {disk}.full"


def on_small_disk(disk: Path, script: str, *arguments: object, size: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script while a disk of ``size`` is mounted at ``disk``; its function ``fill`` leaves no byte free.

    ``stillhouse`` is the command, ``"$@"`` are the arguments. Skips the test where namespaces are forbidden.
    """
    if subprocess.run([*IN_NAMESPACE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs user namespaces")
    disk.mkdir(exist_ok=True)
    functions = (
        f"set -e; mount -t tmpfs -o size={size} none '{disk}'; fill() {{ {FILL.format(disk=disk)} || true; }}; "
        f"stillhouse() {{ '{sys.executable}' -m orchestrator.cli \"$@\"; }}; "
    )
    command = [*IN_NAMESPACE, "bash", "-c", functions + script, "bash", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
