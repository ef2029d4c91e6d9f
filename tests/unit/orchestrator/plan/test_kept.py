"""A trial with more epochs goes on from the state that a finished one has kept, or the plan says why it does not."""

from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.execution.prefix_order import KeptNotes, PrefixOrder, SharedStates, drop_shared_states
from orchestrator.plan.kept import forget_kept
from orchestrator.plan.plan import Plan
from orchestrator.storage.backend import StorageBackend
from orchestrator.storage.copier import bring
from orchestrator.storage.mirror import Mirror
from tests.unit.orchestrator.plan.test_prefixes import PER_EPOCH, STUDY, has_trained
from tests.unit.orchestrator.planning import plan_text

LONGER = "schedule.epochs=24"
OTHER_MILESTONES = "schedule.policy.milestones=[16,22]"


def planned(folder: Path, *sets: str) -> Plan:
    return plan_text(folder, STUDY.replace("{SPACE}", "{}"), *sets)


def finished(folder: Path, keep: str, *sets: str) -> Plan:
    """Return the plan of a study that was run with ``scaling.keep_states``: its student has kept what its job says."""
    plan = planned(folder, f"scaling.keep_states={keep}", *sets)
    [trial] = plan.students
    KeptNotes(plan, Store(folder / "store")).started(trial.id)
    has_trained(trial, trial.estimate.epochs or 0, status="finished")
    for file in plan.job(trial).hands_on.values():
        (trial.directory / file).touch()
    return plan


def start_of(plan: Plan) -> tuple[str, int, str] | None:
    [trial] = plan.students
    return trial.prefix and (trial.prefix.trial, trial.prefix.epoch, trial.prefix.file)


def notes(plan: Plan) -> list[str]:
    return [finding.message for finding in plan.findings if finding.level == "note" and "trial" in finding.message]


@pytest.mark.parametrize(("keep", "epochs"), [("none", []), ("last", [12]), ("milestones", [8, 11, 12])])
def test_a_student_keeps_the_states_that_its_study_asks_for(keep: str, epochs: list[int], tmp_path: Path) -> None:
    plan = planned(tmp_path, f"scaling.keep_states={keep}")
    assert plan.job(plan.students[0]).hands_on == {epoch: f"kept-{epoch}.pt" for epoch in epochs}


@pytest.mark.parametrize("keep", ["last", "milestones"])
@pytest.mark.parametrize(
    ("schedule", "epoch"),
    [
        ("{iterations: 57}", 5),  # in the midst of the sixth epoch
        ("{epochs: null, iterations: 57, policy: {kind: constant}}", 5),
        ("{epochs: null, iterations: 60, policy: {kind: constant}}", 6),
        ("{epochs: 7, val_interval: 3, policy: {kind: constant}}", 6),  # evaluated only because it is the last
        ("{epochs: 2, val_interval: 5, policy: {kind: constant}}", 1),
    ],
)
def test_the_last_state_that_is_kept_serves_a_longer_training(
    schedule: str, epoch: int, keep: str, tmp_path: Path
) -> None:
    [short] = finished(tmp_path, keep, f"schedule={schedule}").students
    longer = (
        ("schedule.epochs=24", "schedule.iterations=null") if "null" not in schedule else ("schedule.iterations=240",)
    )
    assert start_of(planned(tmp_path, f"schedule={schedule}", *longer)) == (short.id, epoch, f"kept-{epoch}.pt")


@pytest.mark.parametrize(
    ("schedule", "warned"),
    [
        ("{iterations: 10}", False),
        ("{iterations: 9}", True),
        ("{epochs: 1, val_interval: 2, policy: {kind: constant}}", True),
        ("{epochs: 1, iterations: 11, policy: {kind: constant}}", False),
    ],
)
def test_a_training_without_a_state_to_keep_is_told(schedule: str, warned: bool, tmp_path: Path) -> None:
    plan = planned(tmp_path, "scaling.keep_states=last", f"schedule={schedule}")
    said = [finding for finding in plan.findings if "keeps no state" in finding.message]
    assert [(one.level, "give it more than 10 steps (an epoch)" in one.message) for one in said] == (
        [("warning", True)] if warned else []
    )
    assert not [one for one in said if "as well" in one.message], "there is one student only"
    assert bool(plan.job(plan.students[0]).hands_on) is not warned
    assert not [one for one in planned(tmp_path, f"schedule={schedule}").findings if "keeps no" in one.message]


def test_more_epochs_go_on_from_the_last_state(tmp_path: Path) -> None:
    [short] = finished(tmp_path, "last").students
    plan = planned(tmp_path, LONGER)
    [trial] = plan.students
    assert start_of(plan) == (short.id, 12, "kept-12.pt")
    assert trial.prefix is not None
    assert trial.prefix.step == 12 * PER_EPOCH
    assert notes(plan) == [f"{trial.id} goes on from trial {short.id} after epoch 12"]
    assert PrefixOrder(plan.students).is_due(trial)
    has_trained(trial, 12)
    SharedStates(plan).reported(trial.id, {"epoch": 12})  # the state belongs to a trial of another study
    drop_shared_states(plan)
    assert (short.directory / "kept-12.pt").exists()


def test_fewer_epochs_need_no_step(tmp_path: Path) -> None:
    [long] = finished(tmp_path, "milestones", "schedule.epochs=24").students
    has_trained(long, 24, status="finished")
    assert start_of(planned(tmp_path)) == (long.id, 11, "kept-11.pt")  # the last one that is not behind its own end


def test_where_the_schedules_part_an_earlier_state_serves(tmp_path: Path) -> None:
    [short] = finished(tmp_path, "milestones").students
    assert start_of(planned(tmp_path, LONGER, OTHER_MILESTONES)) == (short.id, 8, "kept-8.pt")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (OTHER_MILESTONES, "they agree until epoch 8 (milestone 8 (epochs, gamma 0.1) against milestone 16"),
        (
            "schedule.policy={kind: cosine}",
            "they part at the beginning (milestone 8 (epochs, gamma 0.1) against cosine",
        ),
    ],
)
def test_a_plan_says_why_a_kept_state_does_not_serve(change: str, reason: str, tmp_path: Path) -> None:
    [short] = finished(tmp_path, "last").students
    plan = planned(tmp_path, LONGER, change)
    assert start_of(plan) is None
    [note] = notes(plan)
    assert f"not from a state of trial {short.id}" in note
    assert reason in note


def test_other_roots_are_no_relatives(tmp_path: Path) -> None:
    finished(tmp_path, "last")
    for change in ("schedule.lr=0.5", "search.seeds=[1]", "schedule.batch_size=32"):
        plan = planned(tmp_path, LONGER, change)
        assert (start_of(plan), notes(plan)) == (None, [])


def test_a_trial_that_was_deleted_or_a_damaged_note_is_no_mistake(tmp_path: Path) -> None:
    [short] = finished(tmp_path, "last").students
    (short.directory / "kept-12.pt").unlink()
    assert start_of(planned(tmp_path, LONGER)) is None
    (short.directory / "kept-12.pt").touch()
    for note in (tmp_path / "store" / "kept").glob("*/*.json"):
        note.write_text("{")
    assert start_of(planned(tmp_path, LONGER)) is None


def test_kept_states_stay_and_serve_the_study_itself(tmp_path: Path) -> None:
    """Of two trials of one study the second starts from the state that the first keeps in any case."""
    space = "search.space={schedule.epochs: [12, 24]}"
    plan = planned(tmp_path, space, "scaling.keep_states=last")
    short, long = plan.students
    assert plan.job(short).hands_on == {12: "kept-12.pt"}
    has_trained(short, 12, status="finished")
    (short.directory / "kept-12.pt").touch()
    prefix = plan.job(long).prefix
    assert prefix is not None
    assert prefix.file == "kept-12.pt"
    drop_shared_states(plan)
    assert (short.directory / "kept-12.pt").exists()


def test_a_store_that_is_filled_from_a_mirror_has_no_state_to_go_on_from(tmp_path: Path) -> None:
    """A trial that lacks one trains from the beginning, with the same bits (tests/unit/trainers/loop/test_prefix.py)."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    [short] = finished(tmp_path / "here", "last").students
    mirror = Mirror(StorageBackend(f"file://{tmp_path}/mirror"))
    mirror.keep(short.directory)
    bring(mirror, planned(tmp_path / "there").trials)
    [brought] = planned(tmp_path / "there").students
    assert (brought.id, brought.status) == (short.id, "finished")
    assert (short.directory / "kept-12.pt").exists()
    assert not (brought.directory / "kept-12.pt").exists()
    assert start_of(planned(tmp_path / "here", LONGER)) is not None
    assert start_of(planned(tmp_path / "there", LONGER)) is None


def test_a_note_goes_with_the_last_state_of_its_trial(tmp_path: Path) -> None:
    [short] = finished(tmp_path, "milestones").students
    store = Store(tmp_path / "store")
    for left in (2, 1, 0):
        min(short.directory.glob("kept-*.pt")).unlink()
        forget_kept(store)
        assert len(list(store.kept.glob("*/*.json"))) == bool(left)
