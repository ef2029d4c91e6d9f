"""Show how far each trial is: bars with time left on a terminal, one line an epoch elsewhere."""

import json
import logging
import sys
import threading
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.metric_names import AP
from orchestrator.tracking.names import run_name
from trainers.schema.record import PROGRESS, SELECTION_METRIC

log = logging.getLogger(__name__)
REFRESH_S = 1.0


class Progress:
    """Watch trials; as a context manager it owns the bars and the thread that reads trials' progress files."""

    def __init__(self, plan: Plan) -> None:
        self._trials = {trial.id: trial for trial in plan.trials}
        self._running: dict[str, TaskID] = {}
        self._terminal = sys.stderr.isatty()
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
        times = (TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[score]}"))
        self._bars = Bars(*columns, *times, console=Console(stderr=True), disable=not self._terminal)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        self._bars.start()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._left.set()
        self._thread.join()
        self._bars.stop()

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search."""
        self._trials[trial.id] = trial

    def started(self, trial_id: str) -> None:
        """Begin a bar; a trial that was paused or restarted has one."""
        if trial_id in self._running:
            return
        trial = self._trials[trial_id]
        self._say(f"{trial_id}  {run_name(trial)}: started")
        total = trial.estimate.steps
        self._running[trial_id] = self._bars.add_task(run_name(trial), total=total, score="")

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Show the newest AP."""
        trial = self._trials[trial_id]
        score = result.get(SELECTION_METRIC)
        text = "" if score is None else f"{AP} {100 * score:.1f}"
        self._say(f"{trial_id}  {run_name(trial)}: epoch {_of(result['epoch'], trial)} {text}")
        if text and trial_id in self._running:
            self._bars.update(self._running[trial_id], score=text)

    def ended(self, trial_id: str) -> None:
        """Complete the bar."""
        if trial_id in self._running:
            task = self._running.pop(trial_id)
            self._bars.update(task, completed=self._trials[trial_id].estimate.steps)

    def _say(self, line: str) -> None:
        """Print a line above the bars on a terminal, log it elsewhere."""
        if self._terminal:
            self._bars.console.print(line, markup=False, highlight=False)
        else:
            log.info(line)

    def _follow(self) -> None:
        while not self._left.wait(REFRESH_S):
            for trial_id, task in list(self._running.items()):
                self._advance(self._trials[trial_id], task)

    def _advance(self, trial: PlannedTrial, task: TaskID) -> None:
        try:
            state = json.loads((trial.directory / PROGRESS).read_text())
        except (OSError, ValueError):
            return  # not begun, or just ended
        self._bars.update(task, completed=state["step"], total=state["last_step"])


def _of(epoch: int, trial: PlannedTrial) -> str:
    """Write an epoch as ``3/12``, or alone where the data that tells their number is not here."""
    part = trial.spec.segment
    last = part.until_epoch if part else trial.estimate.epochs
    return f"{epoch}/{last}" if last else str(epoch)
