"""Lines of progress are shown where nobody has set up logging, and shown once where somebody has."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestrator.core.plain_log import lines_shown
from tests.unit.orchestrator.command import untouched_process

log = logging.getLogger("orchestrator.reports.progress")


@contextmanager
def bare() -> Iterator[None]:
    """Take away the handlers that pytest adds to the root logger for the length of a test."""
    with untouched_process():
        logging.getLogger().handlers.clear()
        logging.getLogger().setLevel(logging.WARNING)
        yield


def test_lines_are_shown_within_the_block_only(capsys: pytest.CaptureFixture[str]) -> None:
    with bare():
        with lines_shown():
            log.info("epoch \x1b[31m1")
        log.info("unheard")
    assert capsys.readouterr().err == "epoch \\x1b[31m1\n"
    assert logging.getLogger("orchestrator").handlers == []


def test_a_set_up_of_the_users_own_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    with bare():
        logging.basicConfig(level=logging.WARNING, format="mine: %(message)s")
        with lines_shown():
            log.info("epoch 1")
    assert capsys.readouterr().err == "mine: epoch 1\n"
