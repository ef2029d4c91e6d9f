"""Schedules that cannot be meant are refused at their line, and what follows from one is planned and said."""

from pathlib import Path

import pytest

from orchestrator.plan.estimate import Estimate
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.schedule import make_scheduler
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID, edit, findings_of, write
from trainers.schema.zoo import configs_dir

STEPS = "epochs: null\n  iterations: 600\n  policy: {kind: step, milestones: [520, 560]}"
COSINE = "epochs: 12\n  policy: {kind: cosine, begin: 6}\n  closing_epochs: 6"


def with_schedule(lines: str) -> str:
    return edit("epochs: 12", lines)


def student(plan: Plan) -> PlannedTrial:
    return plan.students[0]


# ------------------------------------------------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("lines", "where", "says"),
    [
        ("epochs: null", "14: schedule", "epochs is null: give iterations"),
        ("epochs: null\n  iterations: 500", "14: schedule", "milestones count iterations: give policy.milestones"),
        (STEPS.replace("600", "560"), "14: schedule", "[560] lie at or after the last iteration (560)"),
        ("epochs: 12\n  closing_epochs: 12", "14: schedule", "closing_epochs (12) must be fewer than epochs (12)"),
        (f"{STEPS}\n  closing_epochs: 2", "14: schedule", "closing_epochs are the last of epochs, which is null"),
        (COSINE, "14: schedule", "the cosine begins at epoch 6, not before its end (6)"),
        (
            "warmup: {iterations: 9, epochs: 2}",
            "15: schedule.warmup",
            "give iterations or epochs, not both: got 9 and 2",
        ),
        ("warmup: {iterations: null}", "15: schedule.warmup", "give iterations or epochs"),
        ("warmup: {shape: quadratic, factor: 0.5}", "15: schedule.warmup", "leave out factor 0.5"),
        ("warmup: {shape: cubic}", "15: schedule.warmup.shape", "got text 'cubic'"),
        (
            "optimizer: {kind: sgd, momentum: 0.0, nesterov: true}",
            "15: schedule.optimizer",
            "nesterov needs a momentum",
        ),
        ("optimizer: {kind: adamw, nesterov: true}", "15: schedule.optimizer.nesterov", "kind sgd has it"),
        ("ema: {momentum: 1.0}", "15: schedule.ema.momentum", "must be below 1, got 1.0"),
    ],
)
def test_an_impossible_schedule_is_refused_at_its_line(lines: str, where: str, says: str, tmp_path: Path) -> None:
    [(level, place, message)] = findings_of(write(tmp_path, with_schedule(lines)))
    assert (level, place) == ("error", f"study.yaml:{where}")
    assert says in message


@pytest.mark.parametrize(
    ("lines", "where", "says"),
    [
        (STEPS.replace("520", "20"), "17: schedule.policy", "falls at iteration 20, before the warm-up ends at 500"),
        ("warmup: {epochs: 12}", "15: schedule.warmup", "the warm-up lasts 12 epochs and training 12"),
        ("warmup: {epochs: 9}", "14: schedule.policy", "falls at epoch 8, before the warm-up ends at 9"),
    ],
)
def test_a_warm_up_that_does_not_end_in_time_is_doubted(lines: str, where: str, says: str, tmp_path: Path) -> None:
    [(level, place, message)] = findings_of(write(tmp_path, with_schedule(lines)))
    assert (level, place) == ("warning", f"study.yaml:{where}")
    assert says in message


@pytest.mark.parametrize(
    "lines", [STEPS, "warmup: {epochs: 8}", "iterations: 2", "warmup: {epochs: 5, shape: quadratic}"]
)
def test_a_sensible_schedule_is_silent(lines: str, tmp_path: Path) -> None:
    assert findings_of(write(tmp_path, with_schedule(lines))) == []


def test_epochs_of_warm_up_replace_a_bases_iterations_when_it_says_so(tmp_path: Path) -> None:
    base = write(tmp_path, with_schedule("warmup: {epochs: 2}"), "base.yaml")
    above = "base: base.yaml\nschedule: {warmup: {epochs: null, iterations: 7}}\n"
    assert findings_of(write(tmp_path, above)) == []
    assert findings_of(base) == []


# --------------------------------------------------------------------------------------------------- the learning rate

SAYS = "learning rate 0.01 is for a batch of 16; this batch is 8: trains with 0.005"


def test_a_scaled_learning_rate_is_said_aloud(tmp_path: Path) -> None:
    text = VALID.replace("batch_size: 16", "batch_size: 8\n  lr_batch: 16")
    assert findings_of(write(tmp_path, text)) == [("note", "study.yaml:16: schedule.lr", SAYS)]


def test_a_teachers_scaled_learning_rate_is_said_too(tmp_path: Path) -> None:
    text = edit("  kind: train\n", "  kind: train\n  schedule: {batch_size: 8, lr_batch: 16}\n")
    assert findings_of(write(tmp_path, text)) == [("note", "study.yaml:7: teacher.schedule.lr", SAYS)]


def test_each_batch_of_a_search_has_its_note(tmp_path: Path) -> None:
    text = VALID.replace("method.alpha2: [2.0, 4.0]", "schedule.batch_size: [8, 16, 32]").replace(
        "lr: 1e-2", "lr: 1e-2\n  lr_batch: 16"
    )
    found = [message for level, _, message in findings_of(write(tmp_path, text)) if level == "note"]
    assert found == [SAYS, SAYS.replace("this batch is 8: trains with 0.005", "this batch is 32: trains with 0.02")]


def test_a_learning_rate_of_this_batch_needs_no_word(tmp_path: Path) -> None:
    assert findings_of(write(tmp_path, edit("lr: 1e-2", "lr: 1e-2\n  lr_batch: 16"))) == []


def test_plan_says_what_it_trains_with_and_notes_stop_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write(tmp_path, VALID.replace("batch_size: 16", "batch_size: 8\n  lr_batch: 16"))
    result = runner(capsys)("plan", str(study), "--store", str(tmp_path / "store"), "--json")
    assert result.code == 0
    findings = result.json["findings"]
    assert [item["message"] for item in findings if item["level"] == "note"] == [SAYS]


# ------------------------------------------------------------------------------------------------------------- lengths


def test_a_schedule_of_steps_is_planned_with_its_passes_over_the_data(tmp_path: Path) -> None:
    text = with_schedule(STEPS).replace("train_images: 8", "train_images: 100")
    assert student(plan_text(tmp_path, text)).estimate == Estimate(-(-600 // 7), 600, None)


def test_where_the_data_is_not_here_the_passes_are_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = "  kind: coco\n  root: ${NOT_SET}\n  classes: [circle, square, triangle]\n"
    text = with_schedule(STEPS).replace("  kind: shapes\n  train_images: 8\n", dataset)
    assert student(plan_text(tmp_path, text)).estimate == Estimate(None, 600, None)
    study = tmp_path / "study.yaml"
    result = runner(capsys)("plan", str(study), "--store", str(tmp_path / "store"))
    rows = [line.split() for line in result.out.splitlines() if " none " in line]
    assert rows
    assert {tuple(row[-3:]) for row in rows} == {("?", "600", "new")}


def test_asha_never_ends_a_schedule_of_steps_before_its_end(tmp_path: Path) -> None:
    text = with_schedule(STEPS).replace("  seeds:", "  scheduler: {kind: asha, grace_epochs: 20}\n  seeds:")
    plan = plan_text(tmp_path, text)
    trial = student(plan)
    assert trial.estimate.epochs == 600
    assert make_scheduler(plan, plan.students)._scheduler._scheduler._max_t >= 600


# ----------------------------------------------------------------------------------------------------------- fragments


@pytest.mark.parametrize("name", sorted(path.name for path in (configs_dir() / "schedules").iterdir()))
def test_a_shipped_schedule_can_be_built_on(name: str, tmp_path: Path) -> None:
    start, end = VALID.index("schedule:"), VALID.index("search:")
    text = f"base: stillhouse::schedules/{name}\n{VALID[:start]}{VALID[end:]}"
    assert [item for item in findings_of(write(tmp_path, text)) if item[0] != "missing"] == []
