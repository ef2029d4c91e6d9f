"""Real Ray Tune over scripted cohorts: who trains beside whom, early stops, failures, lost hosts, killed readers."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.plan import Plan
from tests.ray.scripted import COHORT_LOOP, ScriptedRunner
from tests.ray.test_sweep import Events, plan_of, study, write_scripts  # noqa: F401  fixtures
from trainers.schema.events import read_events
from trainers.schema.record import Outcome, read_history, read_outcome

pytestmark = pytest.mark.usefixtures("local_ray")

SCORES = [0.1, 0.2, 0.3, 0.4]
ASHA = "search.scheduler={kind: asha, grace_epochs: 1, reduction_factor: 2}"


class Killer(Events):
    """Kill a process when a trial has reported an epoch."""

    def __init__(self, epoch: int, choose: Any) -> None:
        super().__init__()
        self._epoch, self._choose, self._done = epoch, choose, False

    def reported(self, trial_id: str, result: dict[str, Any]) -> None:
        super().reported(trial_id, result)
        if result["epoch"] == self._epoch and not self._done:
            self._done = True
            chosen = self._choose()
            assert chosen
            for pid in chosen:
                os.kill(pid, signal.SIGKILL)


def sweep(plan: Plan, tmp_path: Path, events: Events | None = None) -> Events:
    from orchestrator.execution.sweep import Sweep
    from orchestrator.execution.tune import run_trials

    events = events or Events()
    run_trials(Sweep(plan), plan.students, [events], tmp_path / "tune", ScriptedRunner, loop=COHORT_LOOP)
    return events


def plan_with(study: Path, *sets: str, methods: int = 4) -> Plan:  # noqa: F811
    """Return a plan of trials that may share a stream: they differ in learning rate only."""
    rates = [0.01 * (1 + number) for number in range(methods)]
    plan = plan_of(study, "search.seeds=[0]", f"search.space={{schedule.lr: {rates}}}", *sets)
    return replace(plan, resources=replace(plan.resources, concurrent=1))


def cohorts_of(plan: Plan) -> list[list[list[int]]]:
    """Return for each trial the cohorts that it was in, as numbers of trials."""
    numbers = {trial.id: number for number, trial in enumerate(plan.students)}
    texts = [(trial.directory / "cohorts").read_text().splitlines() for trial in plan.students]
    return [[[numbers[name] for name in line.split()] for line in lines] for lines in texts]


def statuses(plan: Plan) -> list[str]:
    outcomes = [read_outcome(trial.directory) for trial in plan.students]
    return [outcome.status if outcome else "none" for outcome in outcomes]


def test_one_host_trains_cohort_after_cohort(study: Path, tmp_path: Path) -> None:  # noqa: F811
    plan = plan_with(study, "search.cohort=2", methods=5)
    write_scripts(plan, [{"scores": SCORES}] * 5)
    events = sweep(plan, tmp_path)
    assert cohorts_of(plan) == [[[0, 1]], [[0, 1]], [[2, 3]], [[2, 3]], [[4]]]
    assert [events.epochs[trial.id] for trial in plan.students] == [[1, 2, 3, 4]] * 5
    assert len({(trial.directory / "pid-0").read_text() for trial in plan.students}) == 1


def test_early_stopping_in_a_cohort_decides_the_same_each_time(study: Path, tmp_path: Path) -> None:  # noqa: F811
    scores = [[0.1, 0.2, 0.3, 0.4], [0.2, 0.1, 0.9, 0.9], [0.1, 0.3, 0.3, 0.3], [0.3, 0.2, 0.1, 0.1]]
    found = []
    for attempt in ("first", "second", "third"):
        (tmp_path / attempt).mkdir()
        path = tmp_path / attempt / "study.yaml"
        path.write_text(study.read_text())
        plan = plan_with(path, "search.cohort=4", ASHA)
        write_scripts(plan, [{"scores": some} for some in scores])
        events = sweep(plan, tmp_path / attempt)
        found.append([events.epochs[trial.id] for trial in plan.students])
        assert [len(read_history(trial.directory)) for trial in plan.students] == list(map(len, found[-1]))
        assert cohorts_of(plan) == [[[0, 1, 2, 3]]] * 4
    # by hand: at each rung the median of those before, in the order of the study, has to be reached
    assert found == [[[1, 2, 3, 4], [1, 2], [1], [1, 2, 3, 4]]] * 3
    assert {"stopped", "finished"} == set(statuses(plan))


def test_a_failed_member_leaves_and_one_that_may_try_again_trains_apart(study: Path, tmp_path: Path) -> None:  # noqa: F811
    plan = plan_with(study, "search.cohort=4", "schedule.batch_size=8")
    fails, fits = {"scores": SCORES, "fails_before": 3}, {"scores": SCORES, "memory": 4}
    write_scripts(plan, [{"scores": SCORES}, fails, fits, {"scores": SCORES}])
    sweep(plan, tmp_path)
    assert statuses(plan) == ["finished", "failed", "finished", "finished"]
    assert cohorts_of(plan) == [[[0, 1, 2, 3]], [[0, 1, 2, 3]], [[0, 1, 2, 3], [2]], [[0, 1, 2, 3]]]
    failed, other = plan.students[1], plan.students[2]
    assert read_outcome(failed.directory) == Outcome("failed", "the disk of the teacher is on fire")
    assert "misbehave" in (failed.directory / "error.txt").read_text()  # the traceback of where it failed
    assert [event.details for event in read_events(other.directory)] == [{"micro_batch": 4}]
    assert [len(read_history(trial.directory)) for trial in plan.students] == [4, 2, 4, 4]


def test_a_lost_host_costs_nothing_that_was_reported(study: Path, tmp_path: Path) -> None:  # noqa: F811
    plan = plan_with(study, "search.cohort=3", methods=3)
    write_scripts(plan, [{"scores": SCORES, "epoch_s": 0.2}] * 3)
    first = plan.students[0].directory
    events = sweep(plan, tmp_path, Killer(2, lambda: [int((first / "pid-0").read_text())]))
    assert statuses(plan) == ["finished"] * 3
    assert cohorts_of(plan) == [[[0, 1, 2]] * 2] * 3
    for trial in plan.students:
        assert sorted(set(events.epochs[trial.id])) == [1, 2, 3, 4]
        assert [record.epoch for record in read_history(trial.directory)] == [1, 2, 3, 4]
        assert [event.kind for event in read_events(trial.directory)] == ["worker lost"]


@pytest.mark.parametrize("what", ["ray::ResourceTrainable", "ray::Broker"])
def test_readers_and_the_broker_may_die_as_well(study: Path, tmp_path: Path, what: str) -> None:  # noqa: F811
    from orchestrator.core.processes import descendants

    def titled() -> list[int]:
        return [one.pid for one in descendants(os.getpid()) if one.title.startswith(what)][:1]

    plan = plan_with(study, "search.cohort=2", methods=2)
    write_scripts(plan, [{"scores": SCORES, "epoch_s": 0.2}] * 2)
    sweep(plan, tmp_path, Killer(2, titled))
    assert statuses(plan) == ["finished"] * 2
    for trial in plan.students:
        assert [record.epoch for record in read_history(trial.directory)] == [1, 2, 3, 4]


def test_other_seeds_are_apart(study: Path, tmp_path: Path) -> None:  # noqa: F811
    plan = plan_of(study, "search.seeds=[0, 1]", "search.space={schedule.lr: [0.01, 0.02]}", "search.cohort=4")
    write_scripts(plan, [{"scores": SCORES}] * 4)
    sweep(plan, tmp_path)
    seeds = [trial.spec.seed for trial in plan.students]
    together = [[other for other, seed in enumerate(seeds) if seed == mine] for mine in seeds]
    assert cohorts_of(plan) == [[[*found]] for found in together]
