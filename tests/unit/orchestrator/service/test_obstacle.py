"""What keeps the queue is known while it does, and no longer."""

import threading
from typing import Any, cast

import pytest

from orchestrator.core.errors import OperationError
from orchestrator.service import server
from orchestrator.service.obstacle import Obstacle
from orchestrator.service.reconcile_loop import ReconcileLoop


class Loop:
    """Fail as told, step by step; after the last step nothing goes on."""

    def __init__(self, errors: list[Exception | None], obstacle: Obstacle, over: threading.Event) -> None:
        self._errors, self._obstacle, self._over = errors, obstacle, over
        self.seen: list[str] = []

    def step(self) -> None:
        self.seen.append(self._obstacle.reason)
        error = self._errors.pop(0)
        if not self._errors:
            self._over.set()
        if error is not None:
            raise error


def test_the_loop_says_what_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STEP_S", 0.0)
    obstacle, over = Obstacle(), threading.Event()
    away, fault = OperationError("http://user:hunter2@head does not answer"), ZeroDivisionError()
    loop = Loop([away, None, fault, None, None], obstacle, over)
    server.run_loop(cast("ReconcileLoop", cast("Any", loop)), obstacle, over)
    assert [bool(reason) for reason in loop.seen] == [False, True, False, True, False]
    assert "does not answer" in loop.seen[1]
    assert "hunter2" not in loop.seen[1]
    assert "log" in loop.seen[3]
    assert obstacle.reason == ""
