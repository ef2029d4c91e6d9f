"""Students of several teachers and augmentations are ranked together, each beside its own teacher and baseline."""

from dataclasses import replace
from pathlib import Path

import pytest

from dashboards.facts_text import facts_in_words
from dashboards.run_record import RunRecord
from orchestrator.plan.plan import Plan
from orchestrator.results.comparability import comparable_groups
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import Summary, summarise, summary_json
from orchestrator.tracking.history.recorded import RecordedRun
from orchestrator.tracking.results import results_on_disk
from tests.unit.orchestrator.plan.test_searched_teachers import STUDY, one_point, with_files
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import SELECTION_METRIC as AP

TAUGHT = {0: 0.6, 1: 0.9}  # AP of the teachers, by seed
ALONE = {0.0: 0.2, 0.5: 0.3}  # of the students alone, by augmentation


def measured(plan: Plan, result: TrialResult) -> TrialResult:
    """Return a finished result: distilled students have 0.1 more than those alone, and a tenth of alpha2."""
    trial = next(trial for trial in plan.trials if trial.id == result.id)
    flip = trial.spec.dataset.flip
    if result.role == "teacher":
        score = TAUGHT.get(trial.spec.seed, 0.6)
    else:
        score = ALONE[flip] + (0.1 + 0.01 * float(str(trial.params.get("method.alpha2", 0))) if trial.teacher else 0.0)
    return replace(result, status="finished", metrics={AP: score}, last={AP: score})


def results_of(plan: Plan) -> list[TrialResult]:
    return [measured(plan, result) for result in results_on_disk(plan, {})]


def by_name(results: list[TrialResult]) -> dict[str, Summary]:
    return {summary.row.first.name: summary for summary in summarise(results)}


def test_all_students_of_the_study_are_ranked_together(tmp_path: Path) -> None:
    results = results_of(plan_text(tmp_path, STUDY.replace("  cohort: 8\n", "  seeds: [0, 1]\n")))
    [group] = comparable_groups(results)
    assert (len(group.teachers), len(group.baselines), len(group.distilled)) == (2, 4, 16)
    rows = by_name(results)
    assert len(rows) == 2 + 2 + 8
    assert all(len(rows[name].row.trials) == 2 for name in rows if not name.startswith("teacher"))
    assert rows["bckd teacher.seed=0 dataset.flip=0.5 alpha2=4.0"].rank == 1


def test_a_gain_is_that_over_the_same_augmentation(tmp_path: Path) -> None:
    rows = by_name(results_of(plan_text(tmp_path, STUDY)))
    for flip, teacher, alpha2 in ((0.0, 0, 2.0), (0.0, 1, 4.0), (0.5, 1, 2.0)):
        row = rows[f"bckd teacher.seed={teacher} dataset.flip={flip} alpha2={alpha2}"]
        assert row.baseline is not None
        assert row.baseline.first.name == f"none dataset.flip={flip}"
        assert row.gain == pytest.approx(0.1 + 0.01 * alpha2)


def test_without_a_baseline_of_the_augmentation_there_is_no_gain(tmp_path: Path) -> None:
    results = [one for one in results_of(plan_text(tmp_path, STUDY)) if one.name != "none dataset.flip=0.0"]
    gains = {name: row.gain for name, row in by_name(results).items() if name.startswith("bckd")}
    assert {name for name, gain in gains.items() if gain is None} == {name for name in gains if "flip=0.0" in name}


def test_the_gap_is_that_to_the_own_teacher(tmp_path: Path) -> None:
    rows = by_name(results_of(plan_text(tmp_path, STUDY)))
    for seed, taught in TAUGHT.items():
        row = rows[f"bckd teacher.seed={seed} dataset.flip=0.5 alpha2=2.0"]
        assert row.teacher is not None
        assert row.teacher.first.name == f"teacher seed={seed}"
        assert row.gap_closed == pytest.approx(0.12 / (taught - 0.3))
    assert rows["none dataset.flip=0.5"].teacher is None


def test_files_of_one_name_are_different_teachers(tmp_path: Path) -> None:
    rows = by_name(results_of(plan_text(tmp_path, with_files(tmp_path))))
    taught = {name: row.teacher for name, row in rows.items() if name.startswith("bckd")}
    assert {name: teacher and teacher.first.name for name, teacher in taught.items()} == {
        f"bckd teacher.path={name}/best.pth": f"teacher path={name}/best.pth" for name in ("one", "other")
    }


def test_studies_that_search_neither_stay_apart(tmp_path: Path) -> None:
    points = ((0.0, 0, 2.0), (0.5, 0, 2.0), (0.0, 1, 2.0))
    results = [one for point in points for one in results_of(plan_text(tmp_path, one_point(*point)))]
    fixed = [replace(one, searches=("method.alpha2",)) for one in results]
    assert len(comparable_groups(fixed)) == 3


def test_json_names_the_baseline_of_each_row(tmp_path: Path) -> None:
    results = results_of(plan_text(tmp_path, STUDY))
    alone = {result.id: result.params["dataset.flip"] for result in results if "dataset.flip" in result.params}
    for row in summary_json(results)["rows"]:
        if row["method"] == "bckd":
            assert [alone[trial] for trial in row["none"]] == [row["params"]["dataset.flip"]]


def recorded(result: TrialResult) -> RunRecord:
    """Return a result as the pages have it."""
    run = RecordedRun(
        run_id=result.id, experiment="e", status="FINISHED", name=result.name, trial=result.id, role=result.role, kind="trial",
        params=dict(result.settings), data="0123456789ab",
    )  # fmt: skip
    return RunRecord(run, {}, "s", result.searched, AP)


def test_the_pages_name_teachers_and_augmentation(tmp_path: Path) -> None:
    [group] = comparable_groups([recorded(one) for one in results_of(plan_text(tmp_path, STUDY))])
    words = facts_in_words(group)
    assert words["data"] == "shapes 01234567, flip searched"
    names = [f"GFL-R50 x0.5 ({trial.id})" for trial in group.teachers]
    assert words["teacher"] == f"2 teachers: {', '.join(names)}"


def test_the_pages_say_how_fixed_images_are_changed(tmp_path: Path) -> None:
    results = results_of(plan_text(tmp_path, one_point(0.0, 0, 2.0)))
    [group] = comparable_groups([recorded(replace(one, searches=("method.alpha2",))) for one in results])
    assert facts_in_words(group)["data"] == "shapes 01234567, flip 0.0"
