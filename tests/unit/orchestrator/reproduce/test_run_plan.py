"""Every printed number has a study, what rows share runs once, and teachers and checks come first."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.commands import reproduce
from orchestrator.core.errors import UserError
from orchestrator.core.findings import StudyErrors
from orchestrator.core.store import Store
from orchestrator.plan.machine import Machine
from orchestrator.reports.fitting import fit
from orchestrator.reproduce.agreement import agreement
from orchestrator.reproduce.execute import execute
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import RunPlan, make_run_plan, merged
from orchestrator.reproduce.plan_table import COLUMNS, plan_content, print_plan
from orchestrator.reproduce.runs import JobFactory
from orchestrator.reproduce.tables import (
    METRICS,
    other_suites,
    paper_dir,
    paper_options,
    studies,
    study_file,
    suites_for,
    tables,
)
from orchestrator.results.result import TrialResult
from orchestrator.study.load import load_study
from tests.unit.orchestrator.command import runner
from trainers.schema.record import Outcome, Record, to_lines, write_outcome
from trainers.schema.zoo import find_checkpoint

BIG = Machine(cpus=64, gpus=8)
R101, R50 = "retinanet_r101_fpn_1x_coco", "retinanet_r50_fpn_1x_coco"


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STILLHOUSE_DATA", raising=False)
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def run_plan(tmp_path: Path) -> Callable[..., RunPlan]:
    def make(*targets: str, **options: object) -> RunPlan:
        return make_run_plan(targets, Options(**options), Store(tmp_path / "store"), BIG)

    return make


def finish(trial, ap: float) -> None:
    """Write what a finished trial leaves."""
    trial.directory.mkdir(parents=True, exist_ok=True)
    (trial.directory / "history.jsonl").write_text(to_lines([Record(1, 1, {"coco/bbox_mAP": ap}, final=True)]))
    write_outcome(trial.directory, Outcome("finished"))


# ---------------------------------------------------------------------------------------------------------------- data


def test_every_row_of_every_table_has_what_its_numbers_come_from():
    assert list(tables()) == ["A1", "A2", "A3", "A4", "A5", "A6", "main"]
    rows = [row for table in tables().values() for row in table.rows]
    assert len(rows) == 44
    for row in rows:
        assert bool(row.study) != bool(row.weights)
        assert study_file(row.study) if row.study else find_checkpoint(row.weights)
        assert not row.public or find_checkpoint(row.public)
        assert "mAP" in row.printed


def test_printed_numbers_are_those_of_the_supplement():
    content = json.loads((paper_dir() / "tables.json").read_text())
    [row] = [row for row in content["A2"]["rows"] if row.get("study") == "gfl_mobilenetv2_bckd_from_r101"]
    assert [row[metric] for metric in METRICS] == [35.1, 51.8, 37.8, 19.1, 37.9, 45.6]
    a5 = {row.study: row.printed["mAP"] for row in tables()["A5"].rows if row.study}
    assert a5 == {"fcos_r50": 36.6, "fcos_r50_pkd_bckd": 40.2, "fcos_r50_pkd_bckd_inherit": 40.7}


@pytest.mark.parametrize("name", studies())
def test_every_study_of_the_paper_is_right(name):
    path = study_file(name)
    assert path is not None
    try:
        loaded = load_study(path)
    except StudyErrors as errors:
        pytest.fail(str(errors))
    assert [finding for finding in loaded.warnings if finding.level == "warning"] == []
    assert loaded.study.name == f"paper_{name}"


def test_suites_and_switches_name_studies_that_exist():
    known = set(studies())
    for suite in other_suites().values():
        assert {row.study for row in suite.rows} <= known
        assert {name for hypothesis in suite.hypotheses for name in (hypothesis.better, hypothesis.than)} <= {
            r.study for r in suite.rows
        }
    named = {row.study for suite in (*tables().values(), *other_suites().values()) for row in suite.rows}
    for option in paper_options().values():
        assert option.default not in option.choices
        for places in option.choices.values():
            assert set(places) <= known
            named |= set(places.values())
    assert {name for name in known if name != "retina_r101_own"} == {name for name in named if name}


def test_words_of_the_command_line_mean_suites_or_rows():
    assert [suite.name for suite in suites_for("all")] == list(tables())
    assert suites_for("a6")[0].name == "A6"
    [alone] = suites_for("gfl_r50_bckd_from_r101")
    assert [(row.table, row.printed["mAP"]) for row in alone.rows] == [("main", 43.2)]
    [other] = suites_for("atss_r50_pkd_w6")
    assert [(row.study, row.printed["mAP"]) for row in other.rows] == [("atss_r50_pkd_w6", 41.3)]
    with pytest.raises(UserError, match="did you mean"):
        suites_for("atss_r50_bckt")


# ------------------------------------------------------------------------------------------------------------- sharing


def test_a_baseline_in_three_places_is_one_trial(run_plan):
    found = run_plan("A2", "main")
    [trial] = found.jobs["gfl_r50"].trials
    assert sum(one.id == trial.id for one in found.trials) == 1
    assert sum("GFL-R50 student" in row for row in found.rows_of(trial.id)) == 2


def test_a_trained_teacher_is_the_row_of_its_own(run_plan):
    for row, teacher in (
        ("gfl_r34_bckd_self", "gfl_r34"), ("gfl_r18_ld_self", "gfl_r18"),
        ("gfl_r50_bckd_from_swint", "gfl_swint"), ("voc_gfl_r18_bckd", "voc_gfl_r50"),
        ("gfl_r50_bckd_from_swint_adamw", "gfl_swint_adamw"), ("voc_gfl_r18_bckd_12e", "voc_gfl_r50_12e"),
        ("voc_gfl_r18_bckd_16e", "voc_gfl_r50_16e"), ("retina_r50_bckd_own_teacher", "retina_r101_own"),
    ):  # fmt: skip
        found = run_plan(row, teacher)
        assert found.jobs[row].teacher is not None
        assert found.jobs[row].teacher.id == found.jobs[teacher].trials[0].id
        assert len(found.trials) == 2 + len(found.jobs[row].checked_weights)


def test_two_suites_share_their_rows(run_plan):
    alone, both = run_plan("A6"), run_plan("A6", "all")
    assert {trial.id for trial in alone.trials} <= {trial.id for trial in both.trials}
    assert len({trial.id for trial in both.trials}) == len(both.trials)
    assert [suite.name for suite in both.suites].count("A6") == 1


def test_seeds_multiply_students_and_share_teachers(run_plan):
    found = run_plan("A4", seeds=3)
    assert [len(found.jobs[name].trials) for name in ("voc_gfl_r50", "voc_gfl_r18", "voc_gfl_r18_bckd")] == [3, 3, 3]
    assert len(found.trials) == 9


def test_the_bccd_study_and_the_suite_find_the_same_trials(run_plan):
    from orchestrator.plan.plan import make_plan
    from trainers.schema.zoo import configs_dir

    found = run_plan("bccd")
    plan = make_plan(load_study(configs_dir() / "studies" / "bccd_paper.yaml"), Store("nowhere"))
    assert len(plan.students) == 15
    assert {trial.id for trial in plan.trials} <= {trial.id for trial in found.trials}


def test_a_switch_puts_alternatives_in_the_place_of_rows(run_plan):
    found = run_plan("A3", paper_options={"pkd_weight": "crosskd"})
    assert {"atss_r50_pkd_w1", "atss_r50_pkd_bckd_w1"} <= set(found.jobs)
    assert "atss_r50_pkd" not in found.jobs
    [row] = [row for row in found.rows if row.study == "atss_r50_pkd_w1"]
    assert row.printed["mAP"] == 41.3
    assert set(run_plan("A3", paper_options={"pkd_weight": "10"}).jobs) == set(run_plan("A3").jobs)
    for wrong in ({"pkd_wait": "6"}, {"pkd_weight": "7"}):
        with pytest.raises(UserError, match="pkd_w"):
            run_plan("A3", paper_options=wrong)


# --------------------------------------------------------------------------------------------------------------- order


@pytest.mark.parametrize("word", ["pkd_weight", "=6", "pkd_weight=", "="])
def test_a_switch_has_a_name_and_a_choice(word):
    with pytest.raises(UserError, match=f"^--switch {word}: expected NAME=CHOICE, as in pkd_weight=6$"):
        reproduce.option(word)


def test_checks_come_first_and_students_after_their_teacher(run_plan):
    found = run_plan("all")
    checks, first, then = found.waves()
    assert {trial.spec.init is not None for trial in checks} == {True}
    place = {trial.id: number for number, trial in enumerate(found.trials)}
    for job in found.jobs.values():
        for trial in job.trials:
            if job.teacher and job.teacher.id != trial.id:
                assert place[job.teacher.id] < place[trial.id]
    assert len(checks) + len(first) + len(then) == len(place)
    assert found.jobs["yolox_tiny_bckd"].checked_weights == ("yolox_s_8xb8-300e_coco", "yolox_tiny_8xb8-300e_coco")


def test_public_weights_are_evaluated_at_their_own_size(run_plan):
    found = run_plan("A3")
    sizes = {name: job.trials[0].spec.dataset for name, job in found.jobs.items() if job.is_weights}
    assert sizes["yolox_s_8xb8-300e_coco"].test_size is None
    assert sizes["yolox_s_8xb8-300e_coco"].image_size == (640, 640)
    assert sizes["yolox_tiny_8xb8-300e_coco"].test_size == (416, 416)
    assert sizes["atss_r101_fpn_1x_coco"].image_size == (1333, 800)


def test_one_plan_runs_what_shares_data_placement_and_teacher(run_plan):
    found = run_plan("A6", "A4")
    for wave in found.waves():
        plans = merged(found, wave, "label")
        assert sorted(trial.id for plan in plans for trial in plan.trials) == sorted(trial.id for trial in wave)
        for plan in plans:
            assert len({trial.spec.dataset for trial in plan.trials}) == 1
            assert len({trial.spec.teacher for trial in plan.trials}) == 1


def run_with(aps: dict[str, float], ran: list[str]) -> Callable[..., bool]:
    """Return what stands in for the sweep: trials finish at once, checks with the AP that their weights have here."""

    def run(plan) -> bool:
        for trial in plan.trials:
            name = str(trial.params["row"])
            ran.append(name)
            if name in aps:
                finish(trial, aps[name])
        return True

    return run


@pytest.mark.parametrize(("teacher_ap", "allowed"), [(0.385, True), (0.387, True), (0.381, False), (0.001, False)])
def test_wrong_weights_stop_a_row_before_it_costs_anything(teacher_ap, allowed, run_plan):
    found, ran = run_plan("A6"), []
    ending = execute(found, "label", run_with({R101: teacher_ap, R50: 0.365}, ran))
    assert "retina_r50" in ran
    assert ("retina_r50_bckd" in ran) is allowed
    assert set(ending.stopped) == (set() if allowed else {"retina_r50_gid", "retina_r50_bckd"})


def test_a_wrong_baseline_stops_every_row_of_its_student(run_plan, caplog):
    found, ran = run_plan("A6"), []
    ending = execute(found, "label", run_with({R101: 0.385, R50: 0.2}, ran))
    assert ran == [R101, R50] or ran == [R50, R101]
    assert set(ending.stopped) == {"retina_r50", "retina_r50_gid", "retina_r50_bckd"}
    assert all("wrong weights, data or evaluation" in reason for reason in ending.stopped.values())
    assert caplog.messages == [f"not run: {name}: {reason}" for name, reason in ending.stopped.items()]


def test_weights_of_another_ap_may_be_accepted_which_is_said(run_plan, caplog):
    found, ran = run_plan("A6", accept_teacher_ap=True), []
    ending = execute(found, "label", run_with({R101: 0.341, R50: 0.365}, ran))
    assert ending.stopped == {}
    assert {"retina_r50_gid", "retina_r50_bckd"} <= set(ran)
    assert f"--accept-teacher-ap: accepted: {R101} gives AP 34.1 here, and 38.5 in its zoo" in caplog.text


def test_weights_that_could_not_be_evaluated_are_never_accepted(run_plan):
    found, ran = run_plan("A6", accept_teacher_ap=True), []
    ending = execute(found, "label", run_with({R101: float("nan"), R50: 0.365}, ran))
    assert set(ending.stopped) == {"retina_r50_gid", "retina_r50_bckd"}


def test_students_of_a_teacher_that_failed_do_not_run(run_plan):
    found, ran = run_plan("A4"), []
    ending = execute(found, "label", run_with({}, ran))
    assert ran.count("voc_gfl_r18_bckd") == 0
    assert set(ending.stopped) == {"voc_gfl_r18_bckd"}
    again: list[str] = []
    assert execute(found, "label", run_with({"voc_gfl_r50": 0.5}, again)).stopped == {}
    assert "voc_gfl_r18_bckd" in again


# ---------------------------------------------------------------------------------------------------------------- plan


def test_a_plan_needs_neither_data_nor_network_and_says_where_everything_comes_from(run_plan, tmp_path):
    content = plan_content(run_plan("A6", gpus=8), price=2.0)
    assert [trial["does"] for trial in content["trials"]] == ["evaluate", "evaluate", "train", "train", "train"]
    assert 100 < content["gpu_hours"] < 220
    assert content["usd"] == pytest.approx(2 * content["gpu_hours"])
    assert {row["name"] for row in content["memory"]} == {"retina_r50", "retina_r50_bckd", "retina_r50_gid"}
    on_four = plan_content(run_plan("A6", gpus=4), price=2.0)["memory"]  # twice as many images on each
    assert all(four["one"] > 1.5 * eight["one"] for four, eight in zip(on_four, content["memory"], strict=True))
    data, *weights = content["missing"]
    assert len(data["files"]) == 3
    assert any("7a93545f" in file["digest"] for lack in weights for file in lack["files"])
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "cache").exists()


def test_a_printed_plan_has_words_to_the_left_and_numbers_to_the_right(run_plan, capsys):
    print_plan(run_plan("A6"), price=2.0)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "A6  Response-based distillation of GID, MS COCO val2017"
    head, row = (list(re.finditer(r"\S+(?: \S+)*", lines[at])) for at in (0, 5))
    assert [found[0] for found in head] == [
        "id", "trial", "seed", "waits for", "rows", "GPU-h", "GPU", "in 24 GiB", "GB", "status",
    ]  # fmt: skip
    right = [one[0] for one, other in zip(head, row, strict=True) if one.start() != other.start()]
    assert right == ["seed", "GPU", "in 24 GiB", "GB"]
    assert all(
        one.end() == other.end() for one, other in zip(head, row, strict=True) if one[0] in ("GPU-h", "GB", "GPU")
    )
    cells = [re.split(r"  +", line) for line in lines[1:6]]
    assert [cell[-5:] for cell in cells[:3]] == [
        ["0.1?", "-", "-", "0.6", "new"],
        ["0.1?", "-", "-", "0.4", "new"],
        ["39.1?", "8 GiB", "30", "0.4", "new"],
    ]
    assert [cell[1] for cell in cells] == [
        f"evaluate {R101}", f"evaluate {R50}", "train retina_r50", "train retina_r50_gid", "train retina_r50_bckd",
    ]  # fmt: skip
    assert lines[6:9] == [
        (
            "left to do: 154 GPU hours (0.8 days on 8 GPUs), about 307 USD at 2 an hour; from given rates (?), which may "
            "be off by a factor of two"
        ),
        "disk: 2 GB of students and teachers beside the data",
        (
            "memory of a GPU, forecast: at most 5.0 GiB (retina_r50_gid), so 8 GiB do; in 24 GiB 18 students or more fit "
            "side by side; 2 more studies have no forecast"
        ),
    ]
    assert "  --switch retina_schedule=1x: How long the RetinaNet students train (A6). Also: gid." in lines


def test_a_narrow_terminal_leaves_out_the_memory_first_and_keeps_the_trial_and_its_hours():
    rows = [["0123456789ab", "train a_row", "0", "a_teacher", "A6 a row of it", "39.1?", "8 GiB", "30", "0.4", "new"]]
    gone: list[str] = []
    for width in range(120, 15, -1):
        gone += [title for title in fit(COLUMNS, rows, width).left_out if title not in gone]
    assert gone == ["GPU", "in 24 GiB", "id", "waits for", "rows", "seed", "GB", "status"]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("A6", [f"{R101}: 38.5 in its zoo; printed is 38.1"]),
        ("A2", ["gfl_r101_fpn_ms-2x_coco: 44.7 in its zoo, "]),
    ],
)
def test_a_printed_figure_below_or_above_the_zoos_is_told(target, told, run_plan, capsys):
    print_plan(run_plan(target), price=2.0)
    found = [line for line in capsys.readouterr().out.splitlines() if "; printed is " in line]
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))


def test_images_of_a_gpu_are_a_whole_number(run_plan):
    found = run_plan("A6", gpus=4)
    assert json.dumps([row["images"] for row in plan_content(found, price=2.0)["memory"]]) == "[4, 4, 4]"


def test_what_is_finished_costs_nothing_more(run_plan):
    before = run_plan("A6")
    for trial in before.trials:
        finish(trial, 0.4)
    content = plan_content(run_plan("A6"), price=2.0)
    assert content["gpu_hours"] == 0
    assert {trial["status"] for trial in content["trials"]} == {"finished"}


def test_a_short_reproduction_is_ranked_by_the_rows_that_ran_at_both_lengths(run_plan):
    full, short = run_plan("A3"), run_plan("A3", fidelity="short")
    assert not {t.id for t in full.trials if not t.spec.init} & {t.id for t in short.trials}
    found = {}
    for made, aps in ((full, (40.0, 42.0, 41.0)), (short, (30.0, 36.0, 31.0))):
        names = ("atss_r50", "atss_r50_bckd", "atss_r50_pkd")
        found[made.options.fidelity] = results_of(made, dict(zip(names, aps, strict=True)))
    ranked = agreement((short, found["short"]), (full, found["full"]))
    assert (ranked.rows, ranked.correlation) == (3, pytest.approx(1.0))
    assert agreement((short, {}), (full, found["full"])).correlation is None


def results_of(made: RunPlan, aps: dict[str, float]) -> dict[str, TrialResult]:
    """Return results of these jobs' trials, as MLflow would give them."""
    return {
        trial.id: TrialResult(
            trial.id,
            "student",
            "none",
            trial.params,
            0,
            "finished",
            1,
            {},
            {"coco/bbox_mAP": aps[name] / 100},
            None,
            None,
        )
        for name in aps
        for trial in made.jobs[name].trials
    }


def test_the_command_plans_and_refuses(tmp_path, capsys):
    stillhouse = runner(capsys)
    answer = stillhouse("reproduce", "A6", "--plan", "--json", "--store", tmp_path / "store")
    assert (answer.code, answer.json["suites"]) == (0, ["A6"])
    assert "retina_r50_bckd" in stillhouse("reproduce", "A6", "--plan", "--store", tmp_path / "store").out
    assert stillhouse("reproduce", "A7", "--plan").code == 2
    refused = stillhouse("reproduce", "A6", "--store", tmp_path / "store")
    assert refused.code == 2
    assert "coco" in refused.err
    assert "Traceback" not in refused.err


def test_a_number_of_gpus_that_divides_no_batch_is_named_by_its_option(tmp_path, capsys):
    answer = runner(capsys)("reproduce", "A6", "--plan", "--gpus", "3", "--store", tmp_path / "store")
    said = answer.err
    assert (answer.code, said.count("\n")) == (2, 1)
    assert said.startswith(
        "stillhouse: --gpus 3: a batch of 16 does not divide evenly among 3 workers (scaling.workers) ("
    )


def test_a_plan_on_one_gpu_says_so(tmp_path, capsys):
    answer = runner(capsys)("reproduce", "A6", "--plan", "--gpus", "1", "--store", tmp_path / "store")
    assert " days on 1 GPU)" in answer.out


def test_elastic_workers_are_refused(tmp_path):
    factory = JobFactory(Store(tmp_path), BIG, ("scaling.workers={min: 2, max: 8}",), lambda study: study)
    with pytest.raises(UserError, match=r"give scaling\.workers as one number"):
        factory.study("gfl_r50")
