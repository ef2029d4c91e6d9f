"""At each step of a sweep only those trials are looked at that have not ended."""

from types import SimpleNamespace
from typing import Any

from orchestrator.search.live_trials import InOrder, LiveTrials


class Counted:
    """Stand for one of Tune's trials, and count how often it is asked for its status."""

    def __init__(self, status: str) -> None:
        self._status, self.asked = status, 0

    @property
    def status(self) -> str:
        self.asked += 1
        return self._status


def test_a_trial_that_has_ended_is_looked_at_once() -> None:
    live, trials = LiveTrials(), [Counted("TERMINATED") for _ in range(3)]
    for status in ("RUNNING", "PENDING", "PAUSED", "ERROR"):
        trials.append(Counted(status))
        assert live.of(trials) == trials[3:]
    assert [trial.asked for trial in trials] == [1, 1, 1, 4, 3, 2, 1]


def test_trials_start_in_their_order_and_paused_ones_last() -> None:
    scheduler = InOrder()
    trials = [SimpleNamespace(status=status) for status in ("PAUSED", "RUNNING", "PENDING", "PENDING")]
    controller: Any = SimpleNamespace(get_trials=lambda: trials)
    chosen = []
    while (trial := scheduler.choose_trial_to_run(controller)) is not None:
        chosen.append(trials.index(trial))
        trial.status = "TERMINATED"
        if len(chosen) == 1:
            trials.append(SimpleNamespace(status="PENDING"))
    assert chosen == [2, 3, 4, 0]
