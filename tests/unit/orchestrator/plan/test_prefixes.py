"""A plan finds the trials that agree in their first epochs, says what that saves, and keeps who waits for whom in order."""

from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.core.leases import Leases
from orchestrator.core.store import Store
from orchestrator.execution.claiming_search import ClaimingSearch
from orchestrator.execution.prefix_order import PrefixOrder, SharedStates, drop_shared_states
from orchestrator.execution.together import taking_part
from orchestrator.plan.budget import Budget
from orchestrator.plan.plan import Plan
from orchestrator.plan.prefixes import shared_steps, steps_spared
from orchestrator.plan.rates import measured
from orchestrator.plan.totals import totals
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.plan_table import describe_prefixes, plan_json
from orchestrator.search.searcher import PlannedSearch
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.agreement import agreement
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

STUDY = """
name: lengths
dataset: {kind: shapes, train_images: 160}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 12, batch_size: 16, policy: {kind: step, milestones: [8, 11]}}
search: {baseline: false, space: {SPACE}}
"""
PER_EPOCH = 10  # steps
MILESTONES = "schedule.policy.milestones: [[8, 11], [9, 11], [8, 10], [9]]"
SIXTEEN = f"{MILESTONES.replace('[9]]', '[9], [10], [11], [8], [9, 10]]')}, schedule.policy.gamma: [0.1, 0.3]"


def planned(folder: Path, space: str, *sets: str) -> Plan:
    return plan_text(folder, STUDY.replace("SPACE", space), *sets)


def starts(plan: Plan) -> list[tuple[int, int] | None]:
    """Return for each student who makes its first epochs, by number, and how many."""
    numbers = {trial.id: number for number, trial in enumerate(plan.students)}
    return [t.prefix and (numbers[t.prefix.trial], t.prefix.epoch) for t in plan.students]


def has_trained(trial: PlannedTrial, epochs: int, *states: int, status: str | None = None) -> None:
    """Let a trial have records, and the states after some epochs."""
    trial.directory.mkdir(parents=True, exist_ok=True)
    for epoch in states:
        (trial.directory / f"shared-{epoch}.pt").touch()
    records = [Record(epoch, epoch * PER_EPOCH, {}) for epoch in range(1, epochs + 1)]
    (trial.directory / HISTORY).write_text(to_lines(records))
    if status:
        write_outcome(trial.directory, Outcome(status))  # type: ignore[arg-type]


def test_each_starts_from_whom_it_agrees_with_longest(tmp_path: Path) -> None:
    plan = planned(tmp_path, MILESTONES)
    assert starts(plan) == [None, (0, 8), (0, 10), (1, 11)]
    assert [sorted(trial.hands_on) for trial in plan.students] == [[8, 10], [11], [], []]
    assert [trial.prefix.file for trial in plan.students if trial.prefix] == [
        "shared-8.pt", "shared-10.pt", "shared-11.pt",
    ]  # fmt: skip


def test_sixteen_schedules_cost_two_fifths_at_most(tmp_path: Path) -> None:
    plan = planned(tmp_path, SIXTEEN)
    found = shared_steps(plan.trials, steps_spared)
    assert found is not None
    assert (len(plan.students), found.trials, found.whole) == (16, 15, 16 * 12 * PER_EPOCH)
    assert found.made <= 0.4 * found.whole
    for trial in plan.students[1:]:  # nobody could start later
        before = plan.students[: plan.students.index(trial)]
        longest = max(agreement(other.spec, trial.spec, PER_EPOCH).epochs for other in before)
        assert trial.prefix is not None
        assert trial.prefix.epoch == longest
    [sentence] = describe_prefixes(plan)
    assert f"15 of 16 students start from the state of another trial: {found.made} of 1,920 steps" in sentence
    assert totals(plan).steps_left == found.made
    assert [trial["prefix"] is None for trial in plan_json(plan)["trials"]] == [True, *[False] * 15]


def test_who_makes_a_stretch_makes_it_for_all(tmp_path: Path) -> None:
    """A trial that itself starts behind an epoch cannot hand on the state after it: the one that it starts from does."""
    plan = planned(tmp_path, SIXTEEN)
    for trial in plan.students:
        begins = trial.prefix.epoch if trial.prefix else 0
        assert all(epoch > begins for epoch in trial.hands_on)


def test_other_seeds_and_rates_share_nothing(tmp_path: Path) -> None:
    plan = planned(tmp_path, "schedule.lr: [0.1, 0.2]", "search.seeds=[0,1]")
    assert starts(plan) == [None] * 4
    assert describe_prefixes(plan) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("search.scheduler.kind=asha", "asha stops trials"),
        ("search.racing={}", "its results decide which trials there are"),
        ("search.share_prefixes=false", None),
    ],
)
def test_where_results_decide_each_is_trained_by_itself(change: str, reason: str | None, tmp_path: Path) -> None:
    plan = planned(tmp_path, MILESTONES, "search.seeds=[0,1]", change)
    assert set(starts(plan)) == {None}
    assert all(reason and reason in sentence for sentence in describe_prefixes(plan))
    assert bool(describe_prefixes(plan)) == (reason is not None)


def test_what_differs_behind_the_end_of_a_short_training_parts_nobody(tmp_path: Path) -> None:
    """``iterations`` end it before the epochs of the milestones: nobody starts from a state that is never made."""
    for iterations in (2, 15, 20):
        plan = planned(tmp_path, MILESTONES, f"schedule.iterations={iterations}")
        whole = iterations // PER_EPOCH
        assert all(found is None or found[1] <= whole for found in starts(plan)), iterations
        saved = shared_steps(plan.trials, steps_spared)
        assert saved is None or 0 < saved.made <= saved.whole == iterations * len(plan.students)
    assert starts(planned(tmp_path, MILESTONES, "schedule.iterations=2")) == [None] * 4


def test_a_plan_made_anew_goes_by_what_there_is(tmp_path: Path) -> None:
    first = planned(tmp_path, MILESTONES)
    has_trained(first.students[0], 9, 8)  # it has passed epoch 8, and comes to 10
    again = planned(tmp_path, MILESTONES)
    assert starts(again) == [None, (0, 8), (0, 10), (1, 11)]
    has_trained(first.students[0], 12, 8, status="finished")  # it will never write the state after epoch 10
    again = planned(tmp_path, MILESTONES)
    assert starts(again) == [None, (0, 8), (0, 8), (1, 11)]
    assert again.students[3].prefix
    has_trained(first.students[1], 8)
    assert starts(planned(tmp_path, MILESTONES)) == [None, None, (0, 8), (1, 11)]


def test_a_trial_is_due_when_its_state_is_there_or_will_not_come(tmp_path: Path) -> None:
    plan = planned(tmp_path, MILESTONES)
    one, other, third, _ = plan.students
    assert [PrefixOrder(plan.students).is_due(trial) for trial in plan.students] == [True, False, False, False]
    has_trained(one, 8, 8)
    order = PrefixOrder(plan.students)
    assert [order.is_due(trial) for trial in (other, third)] == [True, False]
    has_trained(one, 10, 8)  # it went by without leaving the other state
    assert PrefixOrder(plan.students).is_due(third)
    has_trained(one, 9, 8, status="failed")
    assert PrefixOrder(plan.students).is_due(third)
    assert PrefixOrder(plan.students[1:]).is_due(third)  # a run of chosen trials, without the one that it waits for


def look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.execution.prefix_order.LOOK_EVERY_S", 0.0)
    monkeypatch.setattr("orchestrator.execution.prefix_order.REST", 0)


def searcher(plan: Plan) -> PlannedSearch:
    order = PrefixOrder(plan.students)
    return PlannedSearch(
        plan.students, None, lambda trial: {"id": trial.id}, lambda trial: None, lambda over: None, order.is_due
    )


def test_tune_gets_a_trial_when_it_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_at_once(monkeypatch)
    plan = planned(tmp_path, MILESTONES)
    one, other, third, fourth = plan.students
    search = searcher(plan)
    assert search.suggest("a")["planned"]["id"] == one.id
    assert search.suggest("b") is None
    has_trained(one, 10, 8, 10)
    assert [search.suggest(name)["planned"]["id"] for name in "bc"] == [other.id, third.id]
    assert search.suggest("d") is None
    assert not search.over
    for name in "abc":  # all are gone, and the state did not come: the last one is trained from the beginning
        search.on_trial_complete(name, {"epoch": 12})
    assert search.suggest("d")["planned"]["id"] == fourth.id
    assert search.suggest("e") == "FINISHED"


def test_a_state_goes_when_the_last_that_starts_from_it_has_begun(tmp_path: Path) -> None:
    plan = planned(
        tmp_path, "schedule.policy.milestones: [[8, 11], [9, 11], [10, 11]], schedule.policy.gamma: [0.1, 0.3]"
    )
    one, *others = plan.students
    waiting = [trial for trial in others if trial.prefix and (trial.prefix.trial, trial.prefix.epoch) == (one.id, 8)]
    assert len(waiting) > 1
    has_trained(one, 12, *one.hands_on, status="finished")
    watcher, path = SharedStates(plan), one.directory / "shared-8.pt"
    for trial in waiting:
        assert path.exists()
        has_trained(trial, 9)
        watcher.reported(trial.id, {"epoch": 1})
    assert not path.exists()
    left = {int(found.stem.partition("-")[2]) for found in one.directory.glob("shared-*.pt")}
    assert left == set(one.hands_on) - {8}


def test_states_that_a_killed_run_has_left_are_removed(tmp_path: Path) -> None:
    plan = planned(tmp_path, MILESTONES)
    one, other, third = plan.students[:3]
    has_trained(one, 12, 8, 10, status="finished")
    has_trained(other, 9)
    drop_shared_states(plan)
    assert sorted(path.name for path in one.directory.glob("shared-*")) == ["shared-10.pt"]  # the third still needs it
    has_trained(third, 12, status="finished")
    drop_shared_states(planned(tmp_path, MILESTONES))
    assert not list(one.directory.glob("shared-*"))


def test_the_order_of_a_study_does_not_change_what_is_trained(tmp_path: Path) -> None:
    spaces = (SIXTEEN, SIXTEEN.replace("[0.1, 0.3]", "[0.3, 0.1]"))
    made = [found.made for space in spaces if (found := shared_steps(planned(tmp_path, space).trials, steps_spared))]
    assert len(made) == 2
    assert all(one == other for one, other in pairwise(made))


def test_a_job_waits_for_the_state_that_another_job_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look_at_once(monkeypatch)
    monkeypatch.setattr("orchestrator.execution.claims.LOOK_EVERY_S", 0.0)
    plan, store = planned(tmp_path, MILESTONES), Store(tmp_path / "store")
    store.prepare()
    one, other, third, _ = plan.students
    with taking_part(plan, store) as part, Leases(store.leases) as of_another_job:
        assert of_another_job.claim(one.id) is not None
        search = ClaimingSearch(
            part.claims, plan.students, lambda trial: {"id": trial.id}, lambda name: None, lambda over: None, lambda: False,
            PrefixOrder(plan.students).is_due,
        )  # fmt: skip
        assert search.suggest("a") is None  # not the end of the search
        has_trained(one, 10, 8, 10)
        assert [search.suggest(name)["planned"]["id"] for name in "ab"] == [other.id, third.id]
        assert search.suggest("c") is None
        of_another_job.release(one.id)
        part.claims.close()


def test_a_step_costs_its_own_trial_only(tmp_path: Path) -> None:
    """Budgets and rates count an epoch where it was trained."""
    plan = planned(tmp_path, MILESTONES, "search.max_gpu_hours=100")
    one, other = plan.students[:2]
    own = {"time/train_s": 360.0}
    for trial, first in ((one, 0), (other, 8)):
        trial.directory.mkdir(parents=True)
        records = [
            Record(
                epoch, epoch * PER_EPOCH, {}, own if epoch > first else {}, trained_by=None if epoch > first else one.id
            )
            for epoch in range(1, 13)
        ]
        (trial.directory / HISTORY).write_text(to_lines(records))
    assert [measured(trial) for trial in (one, other)] == [36.0, 36.0]
    assert Budget(plan).hours_left == pytest.approx(100 - (12 + 4) / 10)
    again = planned(tmp_path, MILESTONES)
    assert [trial.estimate.shared for trial in again.students[:2]] == [0, 8 * PER_EPOCH]
    assert [trial.estimate.seconds for trial in again.students[:2]] == [12 * 360.0] * 2
