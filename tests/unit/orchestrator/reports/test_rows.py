"""Rows are trials that differ in the seed only, with what the paper prints for the very same beside them."""

import pytest

from orchestrator.core.errors import UserError
from orchestrator.reports.rows import make_rows
from orchestrator.study.load import load_study
from tests.unit.orchestrator.planning import plan_file
from tests.unit.orchestrator.reports.example import APS, plan_of, report, results_of
from trainers.schema.zoo import configs_dir

BCKD = ("student", "bckd", 4.0, 1)


def test_a_seed_without_a_result_is_not_counted_and_said(tmp_path):
    aps = {key: value for key, value in APS.items() if key != BCKD}
    made = report(tmp_path, aps=aps)
    last = made.rows[-1]
    assert (last.planned, last.evaluated, last.complete) == (2, 1, False)
    assert (last.amounts["AP"].mean, last.amounts["AP"].spread) == (37.5, None)
    assert last.gain == pytest.approx(37.5 - 28.125)
    assert made.notes[-1] == "Not final: of 7 trials 1 new."


def test_nothing_measured_leaves_the_rows_empty(tmp_path):
    rows = report(tmp_path, aps={}).rows
    assert [(row.evaluated, dict(row.amounts), row.gain) for row in rows] == [(0, {}, None)] * 4


def test_an_ap_of_zero_is_a_measurement(tmp_path):
    rows = report(tmp_path, aps=dict.fromkeys(APS, 0.0)).rows
    assert [(row.evaluated, row.amounts["AP"].mean, row.gain) for row in rows[2:]] == [(2, 0.0, 0.0)] * 2


def test_rows_are_grouped_by_student(tmp_path):
    widths = "search.space={student.backbone_depth: [50, 18], method.alpha2: [4.0]}"
    plan = plan_of(tmp_path, widths)
    _, rows = make_rows(plan, results_of(plan))
    names = [(row.student.rpartition(" ")[2], row.method) for row in rows]
    assert names == [(names[0][0], "none"), ("R50", "none"), ("R50", "bckd"), ("R18", "none"), ("R18", "bckd")]
    assert rows[0].role == "teacher"


def printed(folder, *sets):
    """Return the paper's AP beside each row."""
    rows = report(folder, *sets).rows
    return [row.printed.values["AP"] if row.printed else None for row in rows]


def test_only_the_papers_own_point_has_its_figure_beside_it(tmp_path):
    assert printed(tmp_path) == [None] * 4
    assert printed(tmp_path, "tracking.tags.paper=A1/gfl-r34") == [None, 38.9, None, 39.4]
    assert printed(tmp_path, "tracking.tags.paper=main/r101>r18") == [44.9, 35.8, None, 38.6]


def test_figures_that_several_rows_print_differently_are_left_out(tmp_path):
    assert printed(tmp_path, "tracking.tags.paper=A1") == [None] * 4  # R34 and R18 are in one table


def test_a_tag_that_names_nothing_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match=r"the paper has no A9/x; say TABLE/GROUP, the tables are A1, "):
        report(tmp_path, "tracking.tags.paper=A9/x")


def test_studies_behind_the_papers_rows_know_their_row(tmp_path):
    path = configs_dir() / "paper" / "rows" / "gfl_r18_bckd_from_r101.yaml"
    plan = plan_file(path, store=tmp_path / "store")
    assert load_study(path).study.name == "paper_gfl_r18_bckd_from_r101"
    _, rows = make_rows(plan, results_of(plan, {}))
    found = {(row.role, row.method): row.printed.values["AP"] for row in rows if row.printed}
    assert found[("student", "bckd")] == 38.6
    assert found[("teacher", "none")] == 44.9
