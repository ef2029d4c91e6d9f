"""A start is announced as it begins, and told by its parts when it was long."""

import logging
import sys
from types import SimpleNamespace

import pytest

from orchestrator.commands.carry_out import log_plainly
from orchestrator.execution import startup
from orchestrator.execution.startup import Startup, ray_is_up
from tests.unit.orchestrator.command import untouched_process
from tests.unit.orchestrator.reports.pretended import PretendedTerminal


def start(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, *times: float) -> list[str]:
    """Return the lines about a start whose clock is read at ``times``."""
    clock = iter(times)
    monkeypatch.setattr(startup, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    found = Startup()
    with caplog.at_level(logging.INFO):
        with found.part("MLflow", "opening MLflow"):
            pass
        with found.part("loading Ray", "starting Ray"):
            assert caplog.messages[-1] == "starting Ray"  # before anything is loaded
        with found.part("starting it"):
            pass
        found.done()
    return caplog.messages


def test_a_long_start_is_told_by_its_parts(caplog, monkeypatch):
    lines = start(caplog, monkeypatch, 0, 6, 6, 9, 9, 70)
    assert lines == [
        "opening MLflow",
        "starting Ray",
        "Ray is up after 1 min (MLflow 6 s, loading Ray 3 s, starting it 1 min)",
    ]


def test_a_short_start_is_not(caplog, monkeypatch):
    assert start(caplog, monkeypatch, 0, 1, 1, 2, 2, 2.9) == ["opening MLflow", "starting Ray"]


@pytest.mark.parametrize(("ray", "up"), [(None, False), (SimpleNamespace(is_initialized=lambda: True), True)])
def test_a_ray_that_is_up_is_not_started_again(ray, up, monkeypatch):
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    if ray is not None:
        monkeypatch.setitem(sys.modules, "ray", ray)
    assert ray_is_up() == up


def test_lines_that_are_logged_go_where_bars_have_put_themselves(monkeypatch):
    with untouched_process():
        log_plainly()
        bars = PretendedTerminal()
        monkeypatch.setattr(sys, "stderr", bars)
        logging.getLogger("orchestrator").warning("a trial is tried again")
    assert bars.getvalue() == "a trial is tried again\n"
