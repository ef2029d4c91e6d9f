"""One table lists the views: the page, the bundle, dashboards and the documentation follow it."""

import re
from pathlib import Path

import pytest

from dashboards.views import BUILT_IN, DashboardView, list_script, views
from dashboards.web.bundle import read
from trainers.schema.plugins import BrokenPlugin

DOCS = Path(__file__).parents[3] / "docs" / "dashboards.md"


@pytest.mark.parametrize("view", BUILT_IN, ids=lambda view: view.id)
def test_a_view_is_called_in_its_script_as_in_the_table_and_is_documented(view):
    [name] = re.findall(r'^  id: "(\w+)",$', view.text(), re.MULTILINE)
    [title] = re.findall(r'^  title: "(.+)",$', view.text(), re.MULTILINE)
    assert name == view.id
    assert f"\n| {title} |" in DOCS.read_text()


def test_every_script_is_a_view():
    folder = Path(__file__).parents[3] / "dashboards" / "web" / "app" / "views"
    assert {path.stem for path in folder.glob("*.js")} == {view.id for view in BUILT_IN}


def test_the_page_lists_the_views_in_the_order_of_the_table():
    assert read("app/views.js") == list_script()
    [listed] = re.findall(r"VIEWS = \[(.*)\];", list_script())
    assert listed.split(", ") == list(views()) == [view.id for view in BUILT_IN]


@pytest.mark.parametrize("name", ["overview", "../main", "Two Words", ""])
def test_an_id_that_is_taken_or_no_name_is_refused(name, monkeypatch):
    monkeypatch.setattr("dashboards.views.plugged", lambda *_: (DashboardView(name, "theirs", "x.js"),))
    with pytest.raises(BrokenPlugin, match="theirs adds a view"):
        views.__wrapped__()


@pytest.mark.parametrize("package", ["dashboards.web", "nobodys_package"])
def test_a_script_that_is_not_there_is_told_with_its_view(package):
    said = rf"the view slowest \(stillhouse.views\) names slow.js of package {package}, which cannot be read"
    with pytest.raises(BrokenPlugin, match=said):
        DashboardView("slowest", package, "slow.js").text()


def test_a_script_that_exports_no_view_is_told_before_a_page_is_made_of_it():
    with pytest.raises(BrokenPlugin, match=r"the script app/table.js of the view table .* does not say `export const"):
        DashboardView("table", "dashboards.web", "app/table.js").text()
