import pytest

from dashboards.saved_views import all_dashboards, read_dashboard, shipped_dashboards
from orchestrator.core.errors import UserError
from orchestrator.core.findings import StudyErrors


def test_shipped_dashboards_are_right():
    assert {dashboard["name"] for dashboard in shipped_dashboards()} >= {"alpha", "methods", "trouble"}


def test_dashboard_is_named_as_its_file_and_takes_defaults(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("title: Mine\nfilter:\n  method: [bckd]\n")
    assert read_dashboard(path) == {
        "name": "mine", "title": "Mine", "metric": "coco/bbox_mAP", "view": "leaderboard", "filter": {"method": ["bckd"]},
        "group_by": [], "baselines": ["none"],
    }  # fmt: skip


def test_mistakes_come_together_with_file_and_line(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("titel: Mine\nview: leaderbord\nfilter:\n  method: []\n")
    with pytest.raises(StudyErrors) as caught:
        read_dashboard(path)
    lines = sorted(str(caught.value).splitlines())
    assert [line.split(": ")[1] for line in lines] == ["titel", "view", "filter.method"]  # "title" is there, misspelt
    assert all(line.startswith(f"{path}:{number}: ") for line, number in zip(lines, (1, 2, 4), strict=True))
    assert "did you mean title?" in lines[0]
    assert "did you mean leaderboard?" in lines[1]


def test_a_file_that_is_not_there_or_no_mapping(tmp_path):
    (tmp_path / "list.yaml").write_text("- a\n")
    for name in ("absent.yaml", "list.yaml"):
        with pytest.raises(StudyErrors, match=name):
            read_dashboard(tmp_path / name)


def test_own_dashboard_takes_the_place_of_a_shipped_one(tmp_path):
    path = tmp_path / "alpha.yaml"
    path.write_text("title: My weights\n")
    titles = {dashboard["name"]: dashboard["title"] for dashboard in all_dashboards([path])}
    assert titles["alpha"] == "My weights"
    assert "trouble" in titles


def test_two_of_one_name_are_refused(tmp_path):
    paths = [tmp_path / folder / "mine.yaml" for folder in ("a", "b")]
    for path in paths:
        path.parent.mkdir()
        path.write_text("title: Mine\n")
    with pytest.raises(UserError, match="mine"):
        all_dashboards(paths)
