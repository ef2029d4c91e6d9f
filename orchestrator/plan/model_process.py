"""Run a module of the trainers that builds detectors, in a process of its own: a crash of native code ends nothing else."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel

from orchestrator.core.own_packages import own_environment
from trainers.schema.error_text import last_line_of

NEEDED = ("torch", "mmdet")
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
IMPORT_S = 120.0  # what a slow machine takes to import mmdet


@dataclass(frozen=True)
class ProcessEnd:
    """Hold how the process ended: its exit code (``None``: it took too long), and the last line of its output."""

    code: int | None
    said: str

    @property
    def is_crash(self) -> bool:
        """Return whether a signal ended it, which the units behind it have nothing to do with."""
        return self.code is not None and self.code < 0


def lacking_package() -> str | None:
    """Return a package that building detectors needs and that is not installed here."""
    return next((name for name in NEEDED if find_spec(name) is None), None)


def answers_of(module: str, request: BaseModel, work_s: float, folder: Path) -> tuple[Sequence[str], ProcessEnd]:
    """Run ``python -m module REQUEST ANSWERS``; return the lines of the answers, in order, and how it ended.

    It is given up after the time of its imports and ``work_s`` seconds.
    """
    asked, answers, log = folder / "request.json", folder / "answers", folder / "log"
    asked.write_text(request.model_dump_json(), encoding="utf-8")
    command = [sys.executable, "-P", "-m", module, str(asked), str(answers)]
    with log.open("wb") as output:
        try:
            code: int | None = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=own_environment() | NO_GPU, check=False,
                timeout=IMPORT_S + work_s,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            code = None
    lines = answers.read_text(encoding="utf-8").splitlines() if answers.exists() else []
    said = last_line_of(log.read_text(encoding="utf-8", errors="replace")) or "it said nothing"
    return lines, ProcessEnd(code, said)
