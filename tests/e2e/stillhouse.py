"""Run the command as a user types it, and read back what it left."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "orchestrator.cli"]
TIMEOUT_S = 600


@dataclass(frozen=True)
class Answer:
    """Hold what a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Return the one JSON object on stdout."""
        content: dict[str, Any] = json.loads(self.out)
        return content


def stillhouse(*arguments: object, **variables: str) -> Answer:
    """Run one command to its end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=environment,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def started(*arguments: object) -> subprocess.Popen[str]:
    """Start a command and return at once; stderr can be read while it runs."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def deterministic(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what must not depend on when or where a study ran."""
    return {trial["id"]: (trial["status"], trial["epoch"], trial["metrics"], trial["last"]) for trial in trials}


def histories(store: Path) -> dict[str, list[dict[str, Any]]]:
    """Return each trial's metrics, epoch by epoch, without times, use of machines, and the trial that made its steps."""
    lines = {path.parent.name: path.read_text().splitlines() for path in store.glob("trials/*/history.jsonl")}
    return {trial: [_timeless(json.loads(line)) for line in found] for trial, found in lines.items()}


def _timeless(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("timing", "wall_time", "trained_by", "system")}
