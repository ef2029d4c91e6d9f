"""Show how far a study is: bars and the time left on a terminal, one line an epoch elsewhere, one when a trial ends."""

import logging
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from orchestrator.core.durations import duration
from orchestrator.core.store import Store
from orchestrator.core.terminal import painted
from orchestrator.plan.named import only
from orchestrator.plan.plan import Plan
from orchestrator.plan.rates import known_rates
from orchestrator.plan.time_left import TimeLeft
from orchestrator.plan.totals import is_upper_bound
from orchestrator.plan.trial import PAUSED, PlannedTrial
from orchestrator.results.metric_names import title_of, value_text
from orchestrator.study.selection import value_of
from orchestrator.study.space import adds_trials
from orchestrator.study.wording import counted
from orchestrator.tracking.names import run_name
from trainers.schema.foreign_json import parse_json
from trainers.schema.record import PROGRESS, RECORDED_AT, SELECTION_METRIC, read_history, read_outcome
from trainers.schema.request import is_paused
from trainers.schema.status import is_over
from trainers.schema.stop import run_is_ending, stop_requested

log = logging.getLogger(__name__)
REFRESH_S, ESTIMATE_S = 1.0, 5.0
REST = 20  # an estimate, which reads the histories of running trials, takes a twentieth of the time at most
STOPPING = "stopping: trials save their states after the current step; Ctrl-C again stops at once"
NAMES, LONGEST_NAME = 0.4, 60  # a bar's name: its part of the terminal's width, and its most columns


class Progress:
    """Watch trials; as a context manager it owns the bars and the thread that reads trials' progress files.

    ``rates`` are those of the store, in seconds a step, for the time left.
    """

    def __init__(self, plan: Plan, rates: Mapping[str, Sequence[float]] | None = None) -> None:
        self._metric = plan.study.search.metric
        self._trials = {trial.id: trial for trial in reversed(plan.trials)}  # a teacher's name before a student's
        self._repeated = {trial.id for trial in plan.students} & {teacher.id for teacher in plan.teachers}
        self._running: dict[str, TaskID] = {}
        self._stream, self._terminal = sys.stderr, sys.stderr.isatty()
        self._began, self._bound = time.monotonic(), "at most " if adds_trials(plan.study.search) else ""
        self._over = {trial.id for trial in plan.trials if is_over(trial.status)}
        self._left, self._about = TimeLeft(plan, rates or {}), "at most" if is_upper_bound(plan) else "about"
        self._told = {trial.id: _records(trial) for trial in plan.trials if not is_over(trial.status)}
        self._estimate: tuple[float, float] | None = None  # seconds left, and when that was
        self._bars = StudyBars(self, disable=not self._terminal)
        self._closing, self._stopping = threading.Event(), False
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        self._thread.join()
        self._bars.stop()

    def planned(self, trial: PlannedTrial) -> None:
        """Handle a new trial of the search."""
        self._trials[trial.id] = trial

    def started(self, trial_id: str) -> None:
        """Begin a bar; a trial that was restarted has one, and one that waits for its user gets none: it ends at once."""
        trial, told = self._trials[trial_id], self._told.setdefault(trial_id, set())
        if trial_id in self._running or is_paused(trial.directory):
            return
        self._over.discard(trial_id)  # one that failed may be tried again
        self._bars.start()  # not before: a run that trains nothing draws nothing
        epochs = [epoch for epoch, _ in told]
        begins = f"goes on after epoch {_of(max(epochs), trial)}" if epochs else "started"
        self._log(f"{trial_id}  {run_name(trial)}: {begins}")
        self._running[trial_id] = self._bars.add_task(run_name(trial), total=trial.estimate.steps, score="")

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        """Show the newest value of the study's metric, of a trial without it its AP.

        A trial that goes on reports its earlier epochs again, which are told already.
        """
        trial, record = self._trials[trial_id], (result["epoch"], result.get(RECORDED_AT, 0.0))
        metric = self._metric if self._metric in result else SELECTION_METRIC
        text = _score_text(metric, result[metric]) if metric in result else ""
        if record not in self._told[trial_id]:
            self._told[trial_id].add(record)
            self._log(f"{trial_id}  {run_name(trial)}: epoch {_of(result['epoch'], trial)} {text}")
        if text and trial_id in self._running:
            self._bars.update(self._running[trial_id], score=text)

    def ended(self, trial_id: str) -> None:
        """Remove the bar, and say how the trial ended."""
        trial = self._trials[trial_id]
        if trial_id in self._running:
            self._bars.remove_task(self._running.pop(trial_id))
        if not stop_requested(trial.directory):
            self._over.add(trial_id)
        line = f"{trial_id}  {run_name(trial)}: {_end_of(trial, self._metric)} ({self.summary()})"
        if self._terminal:
            self._bars.console.print(Text.from_ansi(painted(line, self._stream)), highlight=False)
        else:
            log.info(line)

    def summary(self) -> str:
        """Return how many trials have ended, the time so far, and the time left if it is known."""
        over = len(self._over) + len(self._over & self._repeated)  # a student alone may be its teacher's trial
        parts = [f"{over} of {self._bound}{counted(self._left.trials, 'trial')}", duration(self._elapsed())]
        if self._estimate is not None and over < self._left.trials:
            seconds, when = self._estimate
            parts.append(f"{self._about} {duration(seconds - (time.monotonic() - when))} left")
        return ", ".join(parts)

    def _log(self, line: str) -> None:
        """Log a line where there are no bars."""
        if not self._terminal:
            log.info(line)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _follow(self) -> None:
        due = 0.0
        while not self._closing.wait(REFRESH_S):
            for trial_id, task in list(self._running.items()):
                self._advance(self._trials[trial_id], task)
            self.notice_stop()
            if (now := time.monotonic()) >= due:
                self.estimate()
                due = time.monotonic() + max(ESTIMATE_S, REST * (time.monotonic() - now))

    def _advance(self, trial: PlannedTrial, task: TaskID) -> None:
        if (found := _steps(trial)) is not None and task in self._bars.task_ids:
            self._bars.update(task, completed=found[0], total=found[1])

    def notice_stop(self) -> None:
        """Say once, above the bars, that all running trials were asked to stop: bars are drawn over other messages."""
        running = [self._trials[one].directory for one in list(self._running)]
        if self._terminal and running and not self._stopping and all(map(run_is_ending, running)):
            self._stopping = True
            self._bars.console.print(STOPPING, highlight=False)

    def estimate(self) -> None:
        """Estimate the time left anew, never in a callback of Ray's: it reads files. A damaged one leaves it unknown."""
        try:
            running = {one: last - done for one in list(self._running) for done, last in _found(self._trials[one])}
            seconds = self._left.seconds(frozenset(self._over), running)
        except OSError:
            seconds = None
        self._estimate = None if seconds is None else (seconds, time.monotonic())


def progress_in(store: Store, chosen: Collection[str] | None = None) -> Callable[[Plan], Progress]:
    """Return a function that shows the progress of a plan in ``store``, with the time left by the store's rates.

    ``chosen`` are the ids of the trials that are trained, ``None`` for all.
    """
    return lambda plan: Progress(only(plan, chosen), known_rates(store.rates))


class StudyBars(Bars):
    """Draw a bar for each running trial, and above them one line about the study; names are cut, numbers never."""

    def __init__(self, progress: Progress, *, disable: bool) -> None:
        self._progress = progress
        console = Console(stderr=True)
        name = Column(no_wrap=True, overflow="ellipsis", max_width=min(LONGEST_NAME, int(NAMES * console.width)))
        number = Column(no_wrap=True, justify="right", min_width=4)
        super().__init__(
            TextColumn("{task.description}", markup=False, table_column=name),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%", table_column=number),
            TimeRemainingColumn(compact=True, table_column=number),
            TextColumn("{task.fields[score]}", table_column=Column(no_wrap=True, min_width=7)),
            console=console,
            expand=True,
            transient=True,
            disable=disable,
        )

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the study's line and the bars."""
        yield Text(self._progress.summary(), no_wrap=True, overflow="ellipsis")
        yield from super().get_renderables()


def _steps(trial: PlannedTrial) -> tuple[int, int] | None:
    """Return the steps that a running trial has made, and its last one; ``None`` before it begins or after it ended."""
    try:
        state = parse_json((trial.directory / PROGRESS).read_text())
        return int(state["step"]), int(state["last_step"])
    except (OSError, ValueError, KeyError):
        return None


def _found(trial: PlannedTrial) -> list[tuple[int, int]]:
    steps = _steps(trial)
    return [] if steps is None else [steps]


def _records(trial: PlannedTrial) -> set[tuple[int, float]]:
    """Return the epochs that a trial has from earlier runs, each with its time: one that is trained anew has another."""
    try:
        return {(record.epoch, record.wall_time) for record in read_history(trial.directory)}
    except OSError:
        return set()


def _score_text(metric: str, value: float) -> str:
    return f"{title_of(metric)} {value_text(metric, value)}"


def _end_of(trial: PlannedTrial, metric: str) -> str:
    """Return how a trial ended, with the metric at its best epoch; one without an outcome was interrupted or paused."""
    try:
        outcome, best = read_outcome(trial.directory), value_of(read_history(trial.directory), metric)
    except OSError:
        return "ended"
    score = "" if best is None else f", {_score_text(metric, best)}"
    reason = f": {outcome.reason}" if outcome and outcome.status == "failed" else ""
    without = PAUSED if is_paused(trial.directory) else "interrupted"
    return f"{outcome.status if outcome else without}{reason}{score}"


def _of(epoch: int, trial: PlannedTrial) -> str:
    """Write an epoch as ``3/12``, or alone where the data that tells their number is not here."""
    part = trial.spec.segment
    last = part.until_epoch if part else trial.estimate.epochs
    return f"{epoch}/{last}" if last else str(epoch)
