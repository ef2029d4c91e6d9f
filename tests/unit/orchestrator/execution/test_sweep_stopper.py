"""A sweep in which all others wait for a paused trial ends, instead of waiting for ever."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.execution import callbacks
from orchestrator.execution.interruption import Interruption
from orchestrator.execution.sweep import Sweep
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.request import Request, write_request


@pytest.mark.parametrize(
    ("statuses", "paused", "ends"),
    [
        (("TERMINATED", "PAUSED"), True, True),
        (("TERMINATED", "PAUSED"), False, False),  # the scheduler has them wait for each other, and lets one go on
        (("TERMINATED", "RUNNING"), True, False),
        (("TERMINATED", "PENDING"), True, False),
    ],
)
def test_it_ends_when_only_a_user_can_let_a_trial_go_on(
    statuses: tuple[str, ...], paused: bool, ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "PAUSED_S", -1.0)
    room: Any = SimpleNamespace(look=lambda *, waiting: False)
    stopper = callbacks.SweepStopper(Interruption(), room, Sweep(plan_text(tmp_path, VALID)).budget)
    config = {"planned": {"id": "one", "directory": str(tmp_path / "one")}}
    if paused:
        write_request(tmp_path / "one", Request.PAUSE)
    stopper.on_step_begin(0, [SimpleNamespace(status=status, config=config) for status in statuses])
    assert (stopper.stop_all(), stopper.cut_short) == (ends, ends)


def test_it_ends_only_after_a_while_without_an_active_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(monotonic=lambda: now[0]))
    room: Any = SimpleNamespace(look=lambda *, waiting: False)
    sweep = Sweep(plan_text(tmp_path, VALID))
    write_request(tmp_path / "one", Request.PAUSE)
    config = {"planned": {"id": "one", "directory": str(tmp_path / "one")}}
    active, paused = (SimpleNamespace(status=status, config=config) for status in ("RUNNING", "PAUSED"))
    trials = [active, paused]
    alone, shared = (callbacks.SweepStopper(Interruption(), room, sweep.budget, alone=alone) for alone in (True, False))
    now[0] += 60
    for stopper in (alone, shared):
        stopper.on_step_begin(0, trials)
    active.status = "TERMINATED"
    now[0] += callbacks.PAUSED_S
    alone.on_step_begin(1, trials)
    assert not alone.stop_all()
    now[0] += 1
    for stopper in (alone, shared):
        stopper.on_step_begin(2, trials)
    assert (alone.stop_all(), shared.stop_all()) == (True, False)
