"""Prove that a trial is a function of its description: again, resumed, cut short, side by side."""

import json
from pathlib import Path

import pytest

from tests.unit.trainers.tiny import (
    EPOCHS,
    STEPS_PER_EPOCH,
    TrainOnce,
    adamw,
    assert_same_run,
    changed,
    differing,
    job,
    results,
    sgd,
    state,
    trial,
)
from trainers.errors import TrialError
from trainers.loop import loop
from trainers.loop.loop import train, train_alone
from trainers.schema import Bckd, Job, Schedule, TrialSpec, Weights
from trainers.schema.record import HISTORY, Record, best_record, read_history, read_status
from trainers.schema.schedule import Warmup

SCHEDULES = pytest.mark.parametrize("schedule", [sgd(), adamw()], ids=["sgd-step", "adamw-cosine"])


def run_until(wanted: Job, epoch: int) -> None:
    """Train and walk away after the epoch's record."""
    records = train([wanted])
    for _, record in records:
        if record.epoch == epoch:
            break
    records.close()  # type: ignore[attr-defined]


def coco(record: Record) -> dict[str, float]:
    return {name: value for name, value in record.metrics.items() if name.startswith("coco/")}


# -------------------------------------------------------------------------------------------- the same trial again


def test_two_directories_get_the_same_metrics_and_weights(
    train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path
) -> None:
    records = train_alone(job(distilled, tmp_path))
    assert results(records) == results(read_history(tmp_path))
    assert_same_run(train_once(distilled), tmp_path)


def test_another_seed_gives_another_student(train_once: TrainOnce) -> None:
    first, second = (train_once(trial(seed=seed)) for seed in (0, 1))
    assert results(read_history(first))[0] != results(read_history(second))[0]
    assert differing(state(first / "last.pth"), state(second / "last.pth"))


def test_metrics_that_are_compared_are_not_all_zero(train_once: TrainOnce, distilled: TrialSpec) -> None:
    last = read_history(train_once(distilled))[-1].metrics
    assert last["coco/bbox_mAP_50"] > 0.0
    assert min(last[f"loss/{name}"] for name in ("cls", "bbox", "dfl", "bckd_cls", "bckd_loc")) > 0.0
    total = sum(value for name, value in last.items() if name.startswith("loss/") and name != "loss/total")
    assert last["loss/total"] == pytest.approx(total)


def test_a_finished_trial_is_replayed_without_data(
    train_once: TrainOnce, distilled: TrialSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = train_once(distilled)
    before = {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}

    def no_dataset(*_: object) -> None:
        raise AssertionError("a finished trial was opened again")

    monkeypatch.setattr(loop, "build_dataset", no_dataset)
    assert train_alone(job(distilled, directory)) == read_history(directory)
    assert before == {path.name: path.stat().st_mtime_ns for path in directory.iterdir()}
    assert not [name for name in before if name.startswith("resume")]


def test_a_relative_directory_is_refused() -> None:
    with pytest.raises(TrialError, match="must be absolute"):
        train_alone(job(trial(), Path("somewhere")))


# ------------------------------------------------------------------------------------------------------- resuming


@SCHEDULES
def test_a_resumed_trial_equals_the_undisturbed_one(
    schedule: Schedule, train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path
) -> None:
    spec = changed(distilled, schedule=schedule)
    wanted = job(spec, tmp_path)
    for epoch in range(1, EPOCHS):
        run_until(wanted, epoch)
        assert read_status(tmp_path) == "unfinished"
        assert [record.epoch for record in read_history(tmp_path)] == list(range(1, epoch + 1))
    records = train_alone(wanted)
    assert [record.epoch for record in records] == list(range(1, EPOCHS + 1))
    assert read_status(tmp_path) == "finished"
    assert_same_run(train_once(spec), tmp_path)


def test_a_death_before_the_history_is_published_loses_nothing(
    train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path
) -> None:
    wanted = job(distilled, tmp_path)
    run_until(wanted, 2)
    first, second = (tmp_path / HISTORY).read_text().splitlines()
    (tmp_path / HISTORY).write_text(first + "\n")  # the state already holds epoch 2
    assert json.loads(second)["epoch"] == 2
    assert [record.epoch for record in train_alone(wanted)] == [1, 2, 3]
    assert_same_run(train_once(distilled), tmp_path)


def train_without_finish(wanted: Job) -> None:
    """Leave the trial as a process does that dies between its last commit and the finish."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainers.loop.student_trainer.StudentTrainer._finish", lambda _: None)
        train_alone(wanted)


@pytest.mark.parametrize("published", [EPOCHS, EPOCHS - 1])
def test_a_death_before_the_finish_is_made_up_for(
    published: int, train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path
) -> None:
    wanted = job(distilled, tmp_path)
    train_without_finish(wanted)
    lines = (tmp_path / HISTORY).read_text().splitlines(keepends=True)
    (tmp_path / HISTORY).write_text("".join(lines[:published]))
    assert read_status(tmp_path) == "unfinished"
    assert len(train_alone(wanted)) == EPOCHS
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(p.name for p in train_once(distilled).iterdir())
    assert_same_run(train_once(distilled), tmp_path)


# ------------------------------------------------------------------------------------- evaluation and early ends


def test_iterations_cut_training_short_at_the_full_schedules_rates(train_once: TrainOnce, distilled: TrialSpec) -> None:
    for schedule in (sgd, adamw):
        whole = read_history(train_once(changed(distilled, schedule=schedule())))
        short = read_history(train_once(changed(distilled, schedule=schedule(iterations=STEPS_PER_EPOCH + 1))))
        assert results(short)[0] == results(whole)[0]
        assert [(record.epoch, record.step, record.final) for record in short] == [(1, 2, False), (2, 3, True)]
    assert short[-1].metrics["lr"] > whole[-1].metrics["lr"]


def test_a_record_tells_the_rate_that_its_last_step_used(train_once: TrainOnce) -> None:
    history = read_history(train_once(trial(schedule=sgd(warmup=Warmup(iterations=0)))))
    assert [record.metrics["lr"] for record in history] == pytest.approx([0.02, 0.002, 0.0002])


def test_no_iterations_evaluate_the_weights_that_were_given(train_once: TrainOnce) -> None:
    trained = train_once(trial())
    directory = train_once(trial(schedule=sgd(iterations=0), init=Weights(path=str(trained / "last.pth"))))
    (record,) = read_history(directory)
    assert (record.epoch, record.step, record.final) == (0, 0, True)
    assert coco(record) == coco(read_history(trained)[-1])
    assert not any(name.startswith("loss/") for name in record.metrics)
    assert differing(state(directory / "best.pth"), state(trained / "last.pth")) == []


def test_evaluation_follows_its_interval_and_the_end(train_once: TrainOnce) -> None:
    every = train_once(trial())
    rarely = train_once(trial(schedule=sgd(val_interval=2)))
    evaluated = [record.epoch for record in read_history(rarely) if "coco/bbox_mAP" in record.metrics]
    assert evaluated == [2, 3]
    assert results(read_history(rarely))[1:] == results(read_history(every))[1:]  # looking does not change the student
    assert differing(state(rarely / "last.pth"), state(every / "last.pth")) == []


def test_best_is_the_checkpoint_of_the_best_record(train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path) -> None:
    directory = train_once(distilled)
    best = best_record(read_history(directory))
    assert best is not None
    looked_at = changed(distilled, schedule=sgd(iterations=0), init=Weights(path=str(directory / "best.pth")))
    (again,) = train_alone(job(looked_at, tmp_path))
    assert again.metrics["coco/bbox_mAP"] == best.metrics["coco/bbox_mAP"]


# --------------------------------------------------------------------------------------------------- side by side


def test_trials_side_by_side_equal_each_alone(train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path) -> None:
    specs = {
        "alone": trial(),
        "bckd": distilled,
        "localization": changed(distilled, method=Bckd(kind="bckd", alpha1=0.0, alpha2=2.0)),
    }
    found = list(train([job(spec, tmp_path / name, name) for name, spec in specs.items()]))
    assert [name for name, _ in found] == list(specs) * EPOCHS
    for name, spec in specs.items():
        assert_same_run(train_once(spec), tmp_path / name)
    assert differing(state(tmp_path / "bckd" / "last.pth"), state(tmp_path / "alone" / "last.pth"))


def test_trials_side_by_side_go_on_from_different_steps(
    train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path
) -> None:
    alone, bckd = job(trial(), tmp_path / "alone", "alone"), job(distilled, tmp_path / "bckd", "bckd")
    run_until(alone, 2)
    found = [(name, record.epoch) for name, record in train([alone, bckd])]
    assert found == [("alone", 1), ("alone", 2), ("bckd", 1), ("bckd", 2), ("alone", 3), ("bckd", 3)]
    assert_same_run(train_once(trial()), tmp_path / "alone")
    assert_same_run(train_once(distilled), tmp_path / "bckd")


def test_a_gap_between_trials_side_by_side_is_passed_over(train_once: TrainOnce, tmp_path: Path) -> None:
    short = trial(schedule=sgd(iterations=STEPS_PER_EPOCH))
    one, other = job(short, tmp_path / "short", "short"), job(trial(), tmp_path / "long", "long")
    run_until(other, 2)
    train_without_finish(one)
    found = [(name, record.epoch) for name, record in train([one, other])]
    assert found == [("short", 1), ("long", 1), ("long", 2), ("long", 3)]
    assert_same_run(train_once(trial()), tmp_path / "long")


def test_weights_of_zero_train_as_without_distillation(
    train_once: TrainOnce, distilled: TrialSpec, tmp_path: Path
) -> None:
    nothing = changed(distilled, method=Bckd(kind="bckd", alpha1=0.0, alpha2=0.0))
    train_alone(job(nothing, tmp_path))
    assert_same_run(train_once(trial()), tmp_path)
