"""Run a command in this process and undo what it did to the process."""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from orchestrator.cli import main

POINTERS = ("plan:  ", "opening MLflow", "best:  ", "gain:  ", "next:  ", "         stillhouse ")


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

    @property
    def complaints(self) -> list[str]:
        """Return the lines on stderr but those that say what is done, how it ended, and what comes next."""
        return [line for line in self.err.splitlines() if not line.startswith(POINTERS)]


def runner(capture: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Return a function that runs ``stillhouse`` with its arguments."""

    def stillhouse(*arguments: object) -> Answer:
        capture.readouterr()
        with untouched_process():
            try:
                code = main([str(argument) for argument in arguments])
            except SystemExit as stop:  # argparse's way to print help and to refuse arguments
                code = stop.code if isinstance(stop.code, int) else 1
        return Answer(code, *capture.readouterr())

    return stillhouse


@contextmanager
def untouched_process() -> Iterator[None]:
    """Restore the environment and the root logger, which the command sets up for itself."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with mock.patch.dict(os.environ):
        try:
            yield
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
