"""A study at another fidelity has shorter trials of its own, with everything in their schedules moved along."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.core.store import Store
from orchestrator.plan.at_fidelity import prepare_data
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.fidelity_ranking import ranking_line, ranking_of
from orchestrator.search.suggestions import Suggestions
from orchestrator.study.fidelity import Fidelity, at_fidelity
from orchestrator.study.load import load_study
from orchestrator.tracking.results import results_on_disk
from tests.examples import examples
from tests.unit.orchestrator.command import runner
from tests.unit.orchestrator.planning import ids, plan_file, plan_text, teacher_of
from tests.unit.orchestrator.study_text import edit, findings_of, write
from trainers.schema.record import HISTORY, SELECTION_METRIC, Outcome, Record, to_lines, write_outcome
from trainers.schema.schedule import Schedule

SPACE = "  space:\n    method.alpha2: [2.0, 4.0]\n"
STUDY = edit(
    SPACE, "  space: {schedule.epochs: [12, 24], schedule.policy: [{kind: cosine}, {kind: step, milestones: [9]}]}\n"
)
POLICIES = (
    st.fixed_dictionaries({"kind": st.just("step"), "milestones": st.lists(st.integers(1, 40), max_size=3).map(lambda found: sorted(set(found)))})
    | st.fixed_dictionaries({"kind": st.sampled_from(["cosine", "flat-cosine"]), "begin": st.integers(0, 40)})
    | st.just({"kind": "constant"})
)  # fmt: skip
SCHEDULES = st.fixed_dictionaries(
    {"policy": POLICIES, "epochs": st.none() | st.integers(1, 40), "iterations": st.none() | st.integers(0, 40)},
    optional={
        "closing_epochs": st.integers(0, 20),
        "ema": st.just({"momentum": 0.3, "gamma": 2}),
        "warmup": st.just({"epochs": 1}),
    },
)


@pytest.mark.parametrize("fidelity", ["short", "smoke"])
@settings(max_examples=examples(150), deadline=None)
@given(written=SCHEDULES)
def test_every_schedule_has_a_shorter_form(fidelity: Fidelity, written: dict[str, Any]) -> None:
    try:
        full = Schedule.model_validate_json(json.dumps(written))
    except ValidationError:
        return
    shorter = at_fidelity(full, fidelity)
    assert shorter.total_steps(10) <= max(2, full.total_steps(10))
    if fidelity == "short" and full.epochs and full.epochs >= 6 and full.iterations is None:
        assert abs(shorter.length - full.length / 3) <= 0.5


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ({"from": 6, "until": 9, "ramp": 3}, (2, 3, 1)),
        ({"from": 11}, (3, None, 0)),  # in the last epoch, and not behind the end
        ({"from": 4, "until": 5}, (1, 2, 0)),
        ({"from": 0.5, "until": 0.75, "ramp": 0.1}, (0.5, 0.75, 0.1)),
    ],
)
def test_when_a_term_acts_moves_along(
    written: dict[str, float], moved: tuple[float | None, ...], tmp_path: Path
) -> None:
    """Twelve epochs become four, for a preset and for a term of a sum."""
    keys = ", ".join(f"{key}: {value}" for key, value in written.items())
    preset = ["search.space={}", f"method={{kind: bckd, {keys}}}"]
    terms = ["search.space={}", f"method={{kind: terms, terms: [{{kind: bckd-cls, weight: 1.0, {keys}}}]}}"]
    for sets in (preset, terms):
        [method] = {
            trial.spec.method
            for trial in plan_text(tmp_path, STUDY, "fidelity=short", *sets).students
            if trial.spec.method.kind != "none"
        }
        [timed] = [method] if method.kind == "bckd" else method.terms
        assert tuple(timed.timing.values()) == moved


def test_searched_lengths_and_milestones_move_in_each_trial(tmp_path: Path) -> None:
    full, short = plan_text(tmp_path, STUDY), plan_text(tmp_path, STUDY, "fidelity=short")
    assert not {*ids(full)} & {*ids(short)}
    assert (full.study.name, short.study.name) == ("demo", "demo-short")
    assert [trial.params for trial in full.students] == [trial.params for trial in short.students]
    found = {
        (trial.params["schedule.epochs"], trial.spec.schedule.policy.kind): (
            trial.spec.schedule.epochs, getattr(trial.spec.schedule.policy, "milestones", None),
        )
        for trial in short.students
    }  # fmt: skip
    assert found == {
        (12, "cosine"): (4, None), (12, "step"): (4, (3,)), (24, "cosine"): (8, None), (24, "step"): (8, (3,)),
    }  # fmt: skip
    assert teacher_of(full).spec.schedule.epochs == 12
    assert teacher_of(short).spec.schedule.epochs == 4
    assert teacher_of(full).id != teacher_of(short).id
    assert full.planner.at({}, 0).spec.schedule.epochs == 3 * (short.planner.at({}, 0).spec.schedule.epochs or 0)


def test_two_steps_each_and_nobody_is_stopped(tmp_path: Path) -> None:
    plan = plan_text(tmp_path, STUDY, "fidelity=smoke", "search.scheduler={kind: asha}", "search.cohort=4")
    assert {trial.estimate.steps for trial in plan.trials} == {2}
    assert plan.study.search.scheduler.kind == "fifo"
    assert (plan.study.search.cohort, plan.resources.workers) == (1, 1)
    [note] = [finding for finding in plan.findings if "its numbers mean nothing" in finding.message]
    assert note.level == "note"


def test_the_first_rung_and_the_generations_move_along(tmp_path: Path) -> None:
    asha = plan_text(tmp_path, STUDY, "fidelity=short", "search.scheduler={kind: asha, grace_epochs: 6}")
    assert asha.study.search.scheduler.grace_epochs == 2  # type: ignore[union-attr]
    sets = ("search.algorithm=pbt", "search.samples=2", "search.seeds=[0]", "search.population={every_epochs: 6}")
    text = edit(SPACE, "  space: {schedule.lr: {uniform: [0.01, 0.1]}}\n")
    plan = plan_text(tmp_path, text, "fidelity=short", *sets)
    first = Suggestions(plan).ask(2)
    segments = [trial.spec.segment for trial in first]
    assert [
        (segment.until_epoch, trial.spec.schedule.epochs)
        for segment, trial in zip(segments, first, strict=True)
        if segment
    ] == [(2, 4)] * 2
    found = findings_of(write(tmp_path, text), (*sets, "fidelity=smoke"))
    assert [message for level, _, message in found if level == "error"] == [
        "smoke makes two steps, and a population counts whole epochs: use short"
    ]


def test_large_datasets_are_cut_and_others_are_whole(tmp_path: Path) -> None:
    """The part stands in the store; ids follow from its annotations."""
    root = tmp_path / "coco"
    (root / "images").mkdir(parents=True)
    names = [f"{number:012d}.jpg" for number in range(40)]
    images = [{"id": number, "file_name": name, "width": 64, "height": 64} for number, name in enumerate(names)]
    boxes = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 40, 40], "area": 1600, "iscrowd": 0}
        for n in range(40)
    ]
    for name in ("train.json", "val.json"):
        (root / name).write_text(
            json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "person"}]})
        )
    text = edit("  kind: shapes\n  train_images: 8\n", (
        f"  kind: coco\n  root: {root}\n  train: {{annotations: train.json, images: images}}\n"
        "  val: {annotations: val.json, images: images}\n"
    ))  # fmt: skip
    study, store = load_study(write(tmp_path, text), ["fidelity=short"]).study, Store(tmp_path / "store")
    store.prepare()
    prepare_data([study], "short", store)
    plan = plan_file(tmp_path / "study.yaml", "fidelity=short", store=store.root)
    part = Path(plan.study.dataset.root)  # type: ignore[union-attr]
    assert part.is_relative_to(store.root)
    kept = json.loads((part / "train.json").read_text())["images"]
    assert 0 < len(kept) < 20
    assert len(json.loads((part / "val.json").read_text())["images"]) == 40
    shutil.rmtree(part)
    before = plan.planner.at({}, 0).id
    assert plan_file(tmp_path / "study.yaml", "fidelity=short", store=store.root).planner.at({}, 0).id != before


def test_the_option_is_short_for_a_key_and_later_commands_name_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store, run = write(tmp_path, STUDY), str(tmp_path / "store"), runner(capsys)
    by_option = run("plan", path, "--fidelity", "short", "--store", store, "--json").json
    by_key = run("plan", path, "--set", "fidelity=short", "--store", store, "--json").json
    assert by_option == by_key
    assert by_option["study"] == "demo-short"
    assert (
        f"stillhouse run {path} --set fidelity=short --store {store}"
        in run("plan", path, "--fidelity", "short", "--store", store).err
    )


def train(trial: PlannedTrial, score: float) -> None:
    trial.directory.mkdir(parents=True)
    record = Record(1, 10, {SELECTION_METRIC: score}, {"time/train_s": 1.0}, final=True)
    (trial.directory / HISTORY).write_text(to_lines([record]))
    write_outcome(trial.directory, Outcome("finished"))


def test_compare_and_report_say_how_well_the_short_study_ranks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Full: 1, 2, 3, 4. Short: 2, 1, 3, 4: rho is 1 - 6 * 2 / (4 * 15) = 0.8."""
    text = edit("  seeds: [0, 1]\n", "  seeds: [0]\n  baseline: false\n").replace("[2.0, 4.0]", "[1.0, 2.0, 3.0, 4.0]")
    path, store, run = write(tmp_path, text), Store(tmp_path / "store"), runner(capsys)

    def trained(fidelity: str, score: Callable[[float], float], count: int = 4) -> None:
        for trial in plan_file(path, f"fidelity={fidelity}", store=store.root).students[:count]:
            train(trial, score(float(trial.params["method.alpha2"])))  # type: ignore[arg-type]

    def ranking(fidelity: str) -> Any:
        loaded = load_study(path, [f"fidelity={fidelity}"])
        plan = plan_file(path, f"fidelity={fidelity}", store=store.root)
        return ranking_of(loaded, store, results_on_disk(plan, {}))

    trained("short", {1.0: 0.2, 2.0: 0.1, 3.0: 0.3, 4.0: 0.4}.__getitem__)
    assert ranking("full") is None
    assert ranking_line(ranking("short")).endswith("rows that have finished at both lengths: 0")
    trained("full", lambda alpha: alpha / 10)
    found = ranking("short")
    assert (found.rows, found.correlation) == (4, pytest.approx(0.8))
    assert ranking_line(found) == "ranking: rank correlation with the full study 0.80 (Spearman) over 4 rows"
    assert f"{ranking_line(found)}." in run("report", path, "--set", "fidelity=short", "--store", store.root).out


def test_students_that_coincide_when_they_are_shortened_are_counted(tmp_path: Path) -> None:
    close = edit(SPACE, "  space: {schedule.policy.milestones: [[8, 11], [9, 11], [2, 11]]}\n")
    full = plan_text(tmp_path, close)
    short = plan_text(tmp_path, close, "fidelity=short")
    assert len(short.students) < len(full.students)
    [told] = [finding.message for finding in short.findings if "coincide" in finding.message]
    assert told.startswith(
        f"short: of {len(full.students)} students {len(full.students) - len(short.students)} coincide"
    )
    assert not any("coincide" in finding.message for finding in full.findings)
