"""Stand for Ray Tune on a virtual clock: the real search and scheduler decide, trainings are drawn."""

import heapq
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from orchestrator.execution.sweep import Sweep
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.schedule import make_scheduler
from orchestrator.search.searcher import PlannedSearch
from orchestrator.study.schema import Waiting
from tests.benchmarks.replay.curves import Drawn, point_of
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome

SLOTS = 4  # trials at once
ENDED = ("TERMINATED", "ERROR")


class Training:
    """Hold one of Tune's trials, with its records so far and the level that it has come to."""

    def __init__(self, planned: PlannedTrial, trial_id: str) -> None:
        self.planned, self.trial_id = planned, trial_id
        self.status, self.is_saving = "PENDING", False
        self.config = {"planned": {"id": planned.id, "directory": str(planned.directory)}}
        part = planned.spec.segment
        self.begin, self.end = (part.from_epoch, part.until_epoch) if part else (0, planned.spec.schedule.epochs or 0)
        self.records: list[Record] = []
        self.level = 0.0

    @property
    def last(self) -> dict[str, Any]:
        """Return the last result, as the scheduler gets it."""
        return {"epoch": self.records[-1].epoch, **self.records[-1].metrics} if self.records else {}


class VirtualTune:
    """Run a plan's trials on virtual slots; ``epochs`` and ``clock`` say what that took."""

    def __init__(self, plan: Plan, drawn: Drawn) -> None:
        self._plan, self._drawn = plan, drawn
        self.trainings: dict[str, Training] = {}
        self.epochs, self.clock = 0, 0.0
        self._running = 0
        self._events: list[tuple[float, int, Training]] = []
        self._numbers = count()
        trials = list(plan.trials)
        self._scheduler: Any = make_scheduler(plan, trials)
        suggestions = Sweep(plan).suggestions
        self._search = None
        if suggestions is not None:
            self._search = PlannedSearch(trials, suggestions, order, lambda trial: None, lambda over: None)
        self._known = [] if self._search else trials
        self._most = None if isinstance(plan.study.search.scheduler, Waiting) else SLOTS

    def get_trials(self) -> list[Training]:
        """Return all trials, as Tune's controller does."""
        return list(self.trainings.values())

    def run(self) -> None:
        """Run until nothing is left to do."""
        while True:
            self._fill()
            if not self._events:
                return
            self.clock, _, training = heapq.heappop(self._events)
            self._advance(training)

    def stop_trial(self, training: Training) -> None:
        """End a trial, as Tune's controller does."""
        if training.status == "RUNNING":
            self._running -= 1
            self._scheduler.on_trial_complete(self, training, training.last)
        else:
            self._scheduler.on_trial_remove(self, training)
        training.status = "TERMINATED"
        if self._search is not None:
            self._search.on_trial_complete(training.trial_id, training.last or None)

    def _fill(self) -> None:
        self._add()
        while self._running < SLOTS:
            chosen = self._scheduler.choose_trial_to_run(self)
            if chosen is None:
                if not self._add():
                    return
                continue
            chosen.status = "RUNNING"
            self._running += 1
            self._schedule(chosen)

    def _add(self) -> bool:
        """Add the trials that Tune may hold; return whether there was one."""
        added = False
        while self._most is None or sum(one.status not in ENDED for one in self.trainings.values()) < self._most:
            tune_id = f"tune-{next(self._numbers)}"
            planned = self._next(tune_id)
            if planned is None:
                return added
            training = self.trainings[planned.id] = Training(planned, tune_id)
            if planned.spec.segment and planned.spec.segment.origin:
                training.level = self.trainings[planned.spec.segment.origin.trial].level
            self._scheduler.on_trial_add(self, training)
            added = True
        return added

    def _next(self, tune_id: str) -> PlannedTrial | None:
        if self._search is None:
            return self._known.pop(0) if self._known else None
        given = self._search.suggest(tune_id)
        found: PlannedTrial | None = given["planned"]["trial"] if isinstance(given, dict) else None
        return found

    def _schedule(self, training: Training) -> None:
        pace = self._drawn.pace[point_of(training.planned.spec)]
        heapq.heappush(self._events, (self.clock + pace, next(self._numbers), training))

    def _advance(self, training: Training) -> None:
        """Let a trial train one epoch, and do what the scheduler decides."""
        spec, name = training.planned.spec, training.planned.id
        self.epochs += 1
        epoch = training.begin + len(training.records) + 1
        if epoch == self._drawn.fails_at(name):
            self._fail(training)
            return
        training.level = self._drawn.after(training.level, point_of(spec), epoch, name)
        score = self._drawn.measured(training.level, point_of(spec), spec.seed, name, epoch)
        training.records.append(Record(epoch, 10 * epoch, {SELECTION_METRIC: score}, final=epoch == training.end))
        if epoch == training.end:
            self._write(training, "finished")
            self.stop_trial(training)
            return
        decision = self._scheduler.on_trial_result(self, training, training.last)
        if decision == "STOP":
            self.stop_trial(training)
        elif decision == "PAUSE":
            training.status = "PAUSED"
            self._running -= 1
        else:
            self._schedule(training)

    def _fail(self, training: Training) -> None:
        self._write(training, "failed")
        self._running -= 1
        self._scheduler.on_trial_complete(self, training, {"failed_because": "drawn"})
        training.status = "TERMINATED"
        if self._search is not None:
            self._search.on_trial_complete(training.trial_id, {"failed_because": "drawn"})

    def _write(self, training: Training, status: Any) -> None:
        directory = Path(training.planned.directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / HISTORY).write_text(to_lines(training.records))
        write_outcome(directory, Outcome(status))


def order(trial: PlannedTrial) -> dict[str, Any]:
    """Return what a trial's runner is told."""
    return {"id": trial.id, "trial": trial}


def fresh(plan: Plan) -> Plan:
    """Return a plan as it was before it was run."""
    return replace(plan, suggested=[])
