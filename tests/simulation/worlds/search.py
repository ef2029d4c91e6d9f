"""Searches, schedulers and races decide while their process dies and comes back: by their logs, as if undisturbed."""

import json
import zlib
from dataclasses import replace as changed
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchestrator.execution.sweep import Sweep
from orchestrator.execution.tune import TrialEnd, settle
from orchestrator.plan import journal
from orchestrator.plan.journal import SearchEvent, SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.race import race_state, rounds_in
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.schedule import make_scheduler
from orchestrator.search.searcher import PlannedSearch
from orchestrator.study.schema import Waiting
from tests.simulation.kernel import Kernel, Task, Violation, active
from tests.simulation.primitives import TIME
from tests.simulation.world import World
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.atomic import remove, write_text
from trainers.schema.record import (
    HISTORY,
    OUTCOME,
    SELECTION_METRIC,
    Outcome,
    Record,
    read_history,
    read_status,
    to_lines,
    write_outcome,
)
from trainers.schema.status import has_ended, is_over

EPOCHS, SLOTS = 4, 2
STUDY = f"""
name: searched
dataset: {{kind: shapes, train_images: 80}}
teacher: {{kind: random, detector: {{config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}}}
student: {{config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}}
method: {{kind: bckd}}
schedule: {{epochs: {EPOCHS}, batch_size: 8, policy: {{kind: constant}}}}
search: {{baseline: false, seeds: [0], space: {{method.alpha1: [0.5, 1.0, 2.0, 4.0, 8.0]}}}}
"""
KINDS = {
    "race": ("search.seeds=[0, 1, 2]", "search.racing={}"),
    "asha": ("search.scheduler={kind: asha, grace_epochs: 1, reduction_factor: 2}",),
    "pasha": ("search.scheduler={kind: pasha, grace_epochs: 1, reduction_factor: 2}",),
    "hyperband": ("search.scheduler={kind: hyperband, reduction_factor: 2}",),
    "population": ("search.algorithm=pbt", "search.samples=3", "search.population={every_epochs: 2}"),
    "optuna": ("search.algorithm=optuna", "search.samples=4"),
}
FREE = ("pasha", "hyperband", "asha", "race", "race", "population", "optuna")


@cache
def plan_at(folder: Path, kind: str) -> Plan:
    """Return the plan as it is before the first run."""
    return plan_text(folder, STUDY, *KINDS[kind])


def plan_now(folder: Path, kind: str) -> Plan:
    """Return the plan as a new process makes it: with the trials that the log has come to."""
    plan = plan_at(folder, kind)
    events = SearchLog(plan.search_log).read()
    if plan.race:
        return changed(plan, suggested=race_state(plan.study.search, plan.race, rounds_in(events))[1])
    return changed(plan, suggested=plan.planner.suggested(plan.search_log))


def value_of(trial: PlannedTrial, epoch: int) -> float:
    """Return the AP of a trial after an epoch: near its point's, nearer with time."""
    point = zlib.crc32(f"{trial.params}".encode()) % 50 / 100
    noise = zlib.crc32(f"{trial.id} {epoch}".encode()) % 100 / 2000
    return round(point * epoch / EPOCHS + noise, 6)


class Training:
    """Hold one of Tune's trials: it repeats what its directory has, then goes on."""

    def __init__(self, planned: PlannedTrial, trial_id: str) -> None:
        self.planned, self.trial_id = planned, trial_id
        self.status, self.is_saving = "PENDING", False
        self.config = {"planned": {"id": planned.id, "directory": str(planned.directory)}}
        part = planned.spec.segment
        self.begin, self.end = (part.from_epoch, part.until_epoch) if part else (0, EPOCHS)
        self.history: list[Record] = []
        self.position = 0
        self.last_result: dict[str, Any] = {}

    @property
    def last(self) -> dict[str, Any]:
        return self.last_result


class PaperTune:
    """Stand for Ray Tune around the real search and scheduler; one process's life."""

    def __init__(self, world: "Searched") -> None:
        self.world, self.kernel = world, world.kernel
        self.trials: list[Training] = []
        self._numbers = count()

    def run(self) -> None:
        plan = plan_now(self.world.folder, self.world.kind)
        self.world.require_log()
        sweep = Sweep(plan)
        pending = [trial for trial in plan.trials if not is_over(read_status(trial.directory))]
        suggestions = sweep.suggestions
        for trial in pending:
            trial.directory.mkdir(parents=True, exist_ok=True)
            remove(trial.directory / OUTCOME)  # a failed trial is tried again
        self._scheduler: Any = make_scheduler(plan, pending)
        self._search = PlannedSearch(pending, suggestions, told, lambda trial: None, lambda over: None)
        self._most = 1000 if isinstance(plan.study.search.scheduler, Waiting) else SLOTS
        while self._step():
            pass
        self._settle(plan)

    def _settle(self, plan: Plan) -> None:
        ending: Any = SimpleNamespace(cut_short=False, starved=False)
        for one in self.trials:
            settle(plan, one.planned, TrialEnd(one.last_result, None), ending)

    def get_trials(self) -> list[Training]:
        return self.trials

    def stop_trial(self, trial: Training) -> None:
        """End a trial, as Tune's controller does."""
        if trial.status == "TERMINATED":
            return
        if trial.status == "RUNNING":
            self._scheduler.on_trial_complete(self, trial, trial.last_result)
        else:
            self._scheduler.on_trial_remove(self, trial)
        trial.status = "TERMINATED"
        self._search.on_trial_complete(trial.trial_id, trial.last_result or None)

    def _step(self) -> bool:
        """Add trials, start them, and let one report; return whether anything is left."""
        self._add()
        while sum(one.status == "RUNNING" for one in self.trials) < SLOTS:
            chosen = self._scheduler.choose_trial_to_run(self)
            if chosen is None:
                break
            chosen.status = "RUNNING"
            chosen.history = list(read_history(chosen.planned.directory))
            chosen.position = 0
        running = [one for one in self.trials if one.status == "RUNNING"]
        if not running:
            return self._add()
        self.kernel.pause(0.2)
        self._report(self.kernel.chance.choice(running))
        return True

    def _add(self) -> bool:
        added = False
        while sum(one.status != "TERMINATED" for one in self.trials) < self._most:
            tune_id = f"tune-{next(self._numbers)}"
            given = self._search.suggest(tune_id)
            if not isinstance(given, dict):
                return added
            training = Training(given["planned"]["trial"], tune_id)
            training.planned.directory.mkdir(parents=True, exist_ok=True)
            self.trials.append(training)
            self._scheduler.on_trial_add(self, training)
            added = True
        return added

    def _report(self, one: Training) -> None:
        """Let a trial come to its next epoch, which may be on disk already, and do what the scheduler decides."""
        epoch = one.begin + one.position + 1
        if one.position == len(one.history):
            self._train(one, epoch)
        record = one.history[one.position]
        one.position += 1
        done = record.epoch == one.end
        if done and not has_ended(read_status(one.planned.directory)):  # also after a death behind the last record
            write_outcome(one.planned.directory, Outcome("finished"))
        one.last_result = {"epoch": record.epoch, **record.metrics, "done": done}
        decision = "STOP" if done else self._scheduler.on_trial_result(self, one, one.last_result)
        self.kernel.seam(f"{one.planned.id} {decision}")
        if decision == "STOP":
            self.stop_trial(one)
        elif decision == "PAUSE":
            one.status = "PAUSED"

    def _train(self, one: Training, epoch: int) -> None:
        self.world.train(one.planned.id, epoch)
        record = Record(epoch, 10 * epoch, {SELECTION_METRIC: value_of(one.planned, epoch)}, {}, TIME.time())
        record = changed(record, final=epoch == one.end)
        write_text(one.planned.directory / HISTORY, to_lines([*one.history, record]))
        self.world.trained.add((one.planned.id, epoch))
        one.history.append(record)


class Searched(World):
    """Run one search to its end, in as many lives as it takes."""

    disturbed_s, longest_s = 15.0, 400.0

    @classmethod
    def install(cls) -> None:
        append = journal.SearchLog.append

        def noted(self: SearchLog, **event: Any) -> None:
            append(self, **event)
            active().board.world.logged.append(json.loads(json.dumps(event)))

        journal.SearchLog.append = noted  # type: ignore[method-assign]

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        super().__init__(kernel, folder)
        self.kind = self.chance.choice(FREE)
        kernel.board.world = self
        self.logged: list[SearchEvent] = []  # events that were on disk when somebody went on
        self.trained: set[tuple[str, int]] = set()
        self.task: Task | None = None
        self.lives = self.chance.choice((0, 1, 2, 3))

    def begin(self) -> None:
        if self.likely(0.2):
            self.trouble_disk(("full", "away"))
        self._start()

    def _start(self) -> None:
        process = self.kernel.process(f"life {self.lives}")
        if self.lives and self.kernel.now < self.disturbed_s:
            self.lives -= 1
            process.dies_in = int(self.chance.expovariate(1 / 60)) + 1
        self.task = self.kernel.spawn(process, self._live, delay=self.chance.choice((0.0, 3.0)))
        self.task.after.append(self._again)

    def _live(self) -> None:
        try:
            PaperTune(self).run()
        except OSError:
            if self.trouble is None or not self.trouble.hit:
                raise
            self.kernel.kill(self.kernel.me)

    def _again(self) -> None:
        if self.task is not None and not self.task.process.alive:
            self._start()

    def require_log(self) -> None:
        """Raise ``Violation`` unless the log has all that was decided, and at most one event that nobody went on from."""
        found = self.events()
        if found[: len(self.logged)] != self.logged or len(found) > len(self.logged) + 1:
            self.kernel.violate(f"the log has {len(found)} events, {len(self.logged)} were decided")
        self.logged = found

    def events(self) -> list[SearchEvent]:
        return SearchLog(plan_at(self.folder, self.kind).search_log).read()

    def train(self, trial: str, epoch: int) -> None:
        """Note a violation where an epoch is trained that is on disk, or of a trial that was stopped."""
        if (trial, epoch) in self.trained:
            self.kernel.violate(f"{trial}: epoch {epoch} is trained once more")
        for event in self.logged:
            if event.get("trial") == trial and event.get("decision") == "STOP":
                self.kernel.violate(f"{trial} was stopped, and goes on")

    def is_over(self) -> bool:
        return self.task is not None and self.task.done and self.task.process.alive

    def check(self) -> None:
        self.require_log()
        check_events(self.logged)
        plan = plan_now(self.folder, self.kind)
        for trial in plan.trials:
            if not has_ended(read_status(trial.directory)):
                raise Violation(f"{trial.id} is {read_status(trial.directory)} at the end")
        if plan.race and rounds_in(self.logged) != undisturbed_rounds(plan):
            raise Violation(f"the race decided {rounds_in(self.logged)}, undisturbed {undisturbed_rounds(plan)}")


def undisturbed_rounds(plan: Plan) -> Any:
    """Return the decisions of the race as its rule makes them, without a process that dies."""
    from orchestrator.search.race import decide

    search = plan.study.search
    state, _ = race_state(search, plan.race, [])
    found = []
    while not state.over:
        values = {
            point.key: [
                max(value_of(trial, epoch) for epoch in range(1, EPOCHS + 1)) for trial in point.trials[: state.seeds]
            ]
            for point in state.points
        }
        decision = decide(state.points, state.stays, values, state.seeds, len(search.seeds), search.racing)
        found.append(decision)
        state = state.after(decision, len(search.seeds))
    return found


def check_events(events: list[SearchEvent]) -> None:
    """Raise ``Violation`` where a log has something twice, or after an end."""
    asked, heard, epochs, over = set[int](), set[int](), dict[str, int](), set[str]()
    for event in events:
        if event["event"] == "ask":
            _once(asked, event["number"], "asked")
        elif event["event"] == "tell":
            _once(heard, event["number"], "told")
        elif "trial" in event:
            _follow(event, epochs, over)


def _once(seen: set[int], number: int, what: str) -> None:
    if number in seen:
        raise Violation(f"point {number} was {what} twice")
    seen.add(number)


def _follow(event: SearchEvent, epochs: dict[str, int], over: set[str]) -> None:
    name, kind = event["trial"], event["event"]
    if name in over and kind == "result":
        raise Violation(f"{name} has a result after its end")
    if kind == "result":
        if event["epoch"] <= epochs.get(name, 0):
            raise Violation(f"{name}: epoch {event['epoch']} was judged after {epochs[name]}")
        epochs[name] = event["epoch"]
    if kind in ("complete", "remove", "failed") or event.get("decision") == "STOP":
        over.add(name)


def told(trial: PlannedTrial) -> dict[str, Any]:
    """Return what a trial's runner is told."""
    return {"id": trial.id, "trial": trial}
