"""Stand for one trial before a scheduler, whether it runs in Ray Tune now or ran in a process that is gone."""

from typing import Any


class TrialState:
    """Hold the parts of a trial that a scheduler reads: its name and its status.

    ``live`` is Tune's trial where this run has one. While the scheduler replays earlier decisions (``behind``),
    the status is the one that the decisions have left, not Tune's.
    """

    def __init__(self, name: str) -> None:
        self.trial_id = name
        self.live: Any = None
        self.last_epoch = 0  # the last epoch that was decided on
        self.begun = self.waits = self.behind = False
        self.called = False  # whether it was said that it goes on after its pause
        self.over = False  # stopped, finished or failed
        self.gone = False  # the scheduler has been told so
        self.failed = False

    @property
    def status(self) -> str:
        """Return the status, in Tune's words."""
        if self.over:
            return "TERMINATED"
        if self.live is not None and not self.behind:
            return str(self.live.status)
        if self.waits:
            return "PAUSED"
        return "RUNNING" if self.begun else "PENDING"

    @property
    def is_saving(self) -> bool:
        """Return whether Tune is about to pause the trial."""
        return self.live is not None and not self.behind and bool(self.live.is_saving)

    def attach(self, live: Any) -> None:
        """Attach Tune's trial, which first replays earlier decisions."""
        self.live, self.behind = live, self.last_epoch > 0
