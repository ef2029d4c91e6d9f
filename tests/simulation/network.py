"""Carry requests to a server: they may be late, lost, carried out without an answer, or carried out once more."""

from collections.abc import Callable
from typing import Any

from tests.simulation.kernel import Kernel, Process

TIMEOUT_S = 30.0  # after which a client gives a request up


class Lost(Exception):
    """Report a request without an answer."""


class Network:
    """Carry requests to one server; ``bad`` is the probability that something happens to one of them."""

    def __init__(self, kernel: Kernel, server: Process, bad: float) -> None:
        self._kernel, self._server, self.bad = kernel, server, bad
        self.is_down: Callable[[], bool] = lambda: False

    def ask(self, call: Callable[[], Any], *, again: bool = False) -> Any:
        """Return what a call gives at the server. One that may come ``again`` does no harm the second time, or late."""
        kernel, chance = self._kernel, self._kernel.chance
        kernel.seam("request", writes=False)
        fate = chance.random() if self.bad else 1.0
        kernel.pause(chance.choice((0.0, 0.01, 0.1)))
        if self.is_down() or not self._server.alive or fate < self.bad * 0.4:
            self._give_up("no answer")
        if again and fate < self.bad * 0.6:
            kernel.at(chance.uniform(0.0, 60.0), lambda: _quietly(call))
            self._give_up("late")
        found = call()
        if fate < self.bad:
            if again and chance.random() < 0.3:
                _quietly(call)
            self._give_up("the answer is lost")
        kernel.pause(chance.choice((0.0, 0.01)))
        return found

    def _give_up(self, why: str) -> None:
        self._kernel.pause(self._kernel.chance.choice((0.0, TIMEOUT_S)))
        raise Lost(why)


def _quietly(call: Callable[[], Any]) -> None:
    try:
        call()
    except Exception:  # noqa: BLE001  nobody hears of it
        return
