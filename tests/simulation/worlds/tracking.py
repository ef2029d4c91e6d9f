"""Trials are copied to an MLflow that is away, refuses, or loses answers, by jobs that die: once and whole in the end."""

from functools import cache
from pathlib import Path
from typing import Any

from orchestrator.core.leases import Leases
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.backoff import Backoff
from orchestrator.tracking.cursor import best_points, points_of
from orchestrator.tracking.flusher import Flusher
from orchestrator.tracking.tags import STATUS, TRIAL
from orchestrator.tracking.tracker import MLFLOW_STATUS, Tracker
from tests.simulation.kernel import Kernel, Process, Violation, active
from tests.simulation.mlflow import Client, Server, StoredRun
from tests.simulation.network import Network
from tests.simulation.primitives import TIME
from tests.simulation.seams import replace
from tests.simulation.training import EPOCHS, score
from tests.simulation.world import World
from tests.simulation.worlds.jobs import STUDY
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.atomic import write_text
from trainers.schema.events import Event, append_event
from trainers.schema.record import (
    BEST,
    CONFIG,
    HISTORY,
    SELECTION_METRIC,
    Outcome,
    Record,
    read_history,
    read_outcome,
    to_lines,
    write_outcome,
)

WAIT_S = 20.0


@cache
def plan_at(folder: Path) -> Plan:
    """Return the plan, which is the same in all schedules."""
    return plan_text(folder, STUDY, "search.seeds=[0, 1]", "tracking.uri=http://mlflow")


class Run:
    """Hold one process that trains trials and copies them, ``run`` in short."""

    def __init__(self, world: "Tracked", name: str, trials: tuple[PlannedTrial, ...], delay: float) -> None:
        self.world, self.trials = world, trials
        self.process = world.kernel.process(name)
        self.complete = False
        self.task = world.kernel.spawn(self.process, self._run, delay)

    def _run(self) -> None:
        world = self.world
        with Leases(world.store.leases, timeout_s=30.0) as leases:
            seed = world.chance.randrange(1000)
            flusher = Flusher(
                Tracker(world.plan, world.store), world.plan.trials, Backoff(seed),
                turn=lambda: leases.held("delivering", "waiting"),
            )  # fmt: skip
            flusher.begin()
            for trial in self.trials:
                while leases.claim(trial.id) is None and self is world.last:
                    TIME.sleep(2.0)
                if leases.holds(trial.id):
                    self._train(trial, flusher)
                    leases.release(trial.id)
            alone = all(run.task.done for run in world.runs if run is not self)  # else more may come meanwhile
            self.complete = flusher.close(WAIT_S).complete
        if self.complete and alone:
            world.require_all()

    def _train(self, trial: PlannedTrial, flusher: Flusher) -> None:
        chance = self.world.chance
        history = read_history(trial.directory)
        if read_outcome(trial.directory) is not None:
            return
        flusher.started(trial.id)
        for epoch in range(len(history) + 1, EPOCHS + 1):
            TIME.sleep(chance.choice((0.1, 1.0, 5.0)))
            if chance.random() < 0.2:
                append_event(trial.directory, Event("crash", "restart", f"before {epoch}", time=TIME.time()))
            metrics = {SELECTION_METRIC: score(trial.id, epoch)}
            history.append(Record(epoch, epoch, metrics, {"time/train_s": 1.0}, TIME.time(), final=epoch == EPOCHS))
            write_text(trial.directory / BEST, f"{epoch}")
            write_text(trial.directory / CONFIG, "")
            write_text(trial.directory / HISTORY, to_lines(history))
            flusher.reported(trial.id, {"epoch": epoch})
        write_outcome(trial.directory, Outcome(chance.choice(("finished", "stopped"))))
        flusher.ended(trial.id)


class Tracked(World):
    """Let one or two runs train two trials and copy them; a last one, which nothing disturbs, copies the rest."""

    disturbed_s, longest_s = 60.0, 3000.0

    @classmethod
    def install(cls) -> None:
        replace(
            "orchestrator.tracking.tracker",
            open_client=lambda plan, store: active().board.client,
            warn_of_server_folder=lambda *given: None,
            require_no_refusal=lambda uri: None,
            git_revision=lambda: "revision",
            lock_digest=lambda: "lock",
            package_versions=dict,
            link_models=lambda *given: None,
            read_results=lambda plan, client: [],
            summary_json=lambda results: {"best": ""},
            study_metrics=lambda results, planned: {},
        )

    def __init__(self, kernel: Kernel, folder: Path) -> None:
        super().__init__(kernel, folder)
        self.plan, self.store = plan_at(folder), Store(folder / "store")
        self.server = Server()
        self.network = Network(kernel, kernel.process("mlflow"), self.chance.choice((0.0, 0.05, 0.3)))
        kernel.board.client = Client(self.server, self.network)
        self.runs: list[Run] = []
        self.last: Run | None = None

    def begin(self) -> None:
        for trial in self.plan.trials:
            trial.directory.mkdir(parents=True)
        if self.likely(0.4):
            begin, seconds = self.some_time(), self.chance.choice((3.0, 40.0))
            self.network.is_down = lambda: begin < self.kernel.now < begin + seconds
        if self.likely(0.2):
            self.server.refuses = lambda name: self.kernel.now < self.disturbed_s and self.chance.random() < 0.1
        if self.likely(0.3):
            self.trouble_disk(("slow",))
        for number in range(self.chance.randint(1, 2)):
            self._start(f"run{number}", self.chance.uniform(0.0, 10.0))
        self.kernel.at(self.disturbed_s + 60.0, self._begin_last)

    def _start(self, name: str, delay: float) -> None:
        order = list(self.plan.trials)
        self.chance.shuffle(order)
        run = Run(self, name, tuple(order), delay)
        self.runs.append(run)
        if self.likely(0.6):
            self._disturb(run.process)
        if len(self.runs) < 4:
            run.task.after.append(lambda: self._again(run))

    def _again(self, run: Run) -> None:
        if not run.process.alive and self.kernel.now < self.disturbed_s:
            self._start(f"{run.process.name}'", self.chance.uniform(0.0, 5.0))

    def _disturb(self, process: Process) -> None:
        if self.likely(0.8):
            self.kill_later(process)
        else:
            self.freeze_later(process)

    def _begin_last(self) -> None:
        self.network.bad = 0.0
        self.last = Run(self, "last", self.plan.trials, self.chance.uniform(0.0, 60.0))

    def is_over(self) -> bool:
        return self.last is not None and self.last.task.done and all(run.task.done for run in self.runs)

    def require_all(self) -> None:
        """Note a violation unless MLflow has all that is on disk; a run says so at its end."""
        task, self.kernel.current = self.kernel.current, None
        try:
            for trial in self.plan.trials:
                if read_history(trial.directory):
                    self._check(trial)
        except Violation as error:
            self.kernel.violate(f"delivered, they say: {error}")
        finally:
            self.kernel.current = task

    def check(self) -> None:
        assert self.last is not None
        if not self.last.complete:
            raise Violation("the last run has not delivered all")
        for trial in self.plan.trials:
            self._check(trial)

    def _check(self, trial: PlannedTrial) -> None:
        found = [run for run in self.server.runs.values() if run.tags.get(TRIAL) == trial.id]
        there = [run for run in found if run.lifecycle == "active" and (run.params or run.points)]
        if len(there) != 1:
            raise Violation(f"{trial.id} has {len(there)} runs with contents, of {len(found)}")
        history, outcome = read_history(trial.directory), read_outcome(trial.directory)
        wanted = {(point.key, point.step): point.value for point in (*points_of(history), *best_points(history))}
        require_points(there[0], wanted)
        if outcome is not None and there[0].tags.get(STATUS) != outcome.status:
            raise Violation(f"{trial.id} is {outcome.status}, and {there[0].tags.get(STATUS)} in MLflow")
        if outcome is not None and there[0].status != MLFLOW_STATUS[outcome.status]:
            raise Violation(f"{trial.id} is {outcome.status}, and its run {there[0].status}")


def require_points(run: StoredRun, wanted: dict[tuple[str, int], float]) -> None:
    """Raise ``Violation`` unless a run has each point once, with its value."""
    found: dict[tuple[str, int], Any] = {}
    for key, value, _, step in run.points:
        if (key, step) in found:
            raise Violation(f"{run.name}: {key} at step {step} stands there twice")
        found[key, step] = value
    if found != wanted:
        lacking, more = wanted.keys() - found.keys(), found.keys() - wanted.keys()
        raise Violation(f"{run.name}: lacks {sorted(lacking)}, has also {sorted(more)}")
