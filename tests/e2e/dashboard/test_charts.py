"""Charts can be worked with: smoothed, by logarithm, along hours, brushed, against anything, and taken along."""

import csv
import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Page, expect

from dashboards.views import BUILT_IN
from tests.e2e.dashboard.browser import Watched, until_true
from tests.e2e.dashboard.page_tables import cells_of, numbers, study_named, titles_of

SVG = "{http://www.w3.org/2000/svg}"
OPTION = "id => document.getElementById(id).chart.getOption()"


def option(page: Page, chart: str) -> dict[str, list[dict[str, object]]]:
    """Return what a chart was drawn from."""
    until_true(page, "id => document.getElementById(id)?.chart", chart)
    found: dict[str, list[dict[str, object]]] = page.evaluate(OPTION, chart)
    return found


def saved(page: Page, chart: str, kind: str) -> bytes:
    """Press the button that saves a chart, and return the file."""
    until_true(page, "id => document.getElementById(id)?.chart", chart)
    figure = page.locator("figure", has=page.locator(f"#{chart}"))
    with page.expect_download() as download:
        figure.locator(f"[data-save={kind}]").click()
    assert download.value.suggested_filename == f"{chart}.{kind.lower()}"
    return Path(download.value.path()).read_bytes()


def texts_of(drawing: bytes) -> list[str]:
    """Return the texts in an SVG file."""
    return ["".join(found.itertext()) for found in ET.fromstring(drawing).iter(f"{SVG}text")]


def test_a_chart_is_saved_as_picture_drawing_and_table(look: Watched, address: str) -> None:
    page = look.show(address, "curves", q="alpha1=1.0", study=study_named(look.page, address, "sweep"))

    assert saved(page, "curves", "PNG").startswith(b"\x89PNG")
    texts = texts_of(saved(page, "curves", "SVG"))
    assert {"epoch", "AP"} <= set(texts)
    assert any(text.startswith("bckd alpha1=1.0 alpha2=2.0") for text in texts)  # the line is named at its end
    table = list(csv.reader(io.StringIO(saved(page, "curves", "CSV").decode())))
    cells = numbers(page, "curves")
    assert table[0] == titles_of(page, "#curves-numbers")
    assert table[1:] == [["" if cell == "–" else cell for cell in row] for row in cells]


@pytest.mark.parametrize("view", [view.id for view in BUILT_IN])
def test_every_chart_is_saved_in_three_ways_and_names_its_axes(view: str, look: Watched, address: str) -> None:
    study = study_named(look.page, address, "sweep")
    page = look.show(address, view, study=study)
    until_true(page, "[...document.querySelectorAll('main .chart')].every(place => place.chart)")
    if view == "predictions":
        page.wait_for_selector("#scores-0 canvas")
    for figure in page.locator("main figure:has(.chart)").all():
        expect(figure.locator("[data-save]")).to_have_count(3)
        made = option(page, figure.locator(".chart").get_attribute("id") or "")
        for axis in (*made.get("xAxis", []), *made.get("yAxis", []), *made.get("parallelAxis", [])):
            assert axis.get("name") or axis["type"] == "category", (view, axis)  # names of categories need no title


def test_smoothing_stands_beside_the_recorded_values_and_changes_no_number(look: Watched, address: str) -> None:
    page = look.show(address, "curves", q="alpha1=1.0 alpha2=2.0")
    plain = numbers(page, "curves")
    raw = option(page, "curves")["series"]

    page.locator("#choose-smooth").select_option("0.6")
    expect(page).to_have_url(re.compile("smooth=0.6"))
    until_true(
        page, "count => document.getElementById('curves').chart?.getOption().series.length === count", 2 * len(raw)
    )

    drawn = option(page, "curves")["series"]
    assert drawn[0]["data"] == raw[0]["data"]
    recorded = [value for _, value in raw[0]["data"]]  # type: ignore[misc, attr-defined]
    mean, wanted = 0.0, []
    for place, value in enumerate(recorded, 1):
        mean = 0.6 * mean + 0.4 * value
        wanted.append(mean / (1 - 0.6**place))
    assert [value for _, value in drawn[1]["data"]] == pytest.approx(wanted)  # type: ignore[misc, attr-defined]
    assert cells_of(page, "#curves-numbers") == plain
    page.reload()
    expect(page.locator("#choose-smooth")).to_have_value("0.6")


def test_curves_run_along_hours_and_by_logarithm(look: Watched, address: str) -> None:
    page = look.show(address, "curves", q="alpha1=1.0 alpha2=2.0 seed=0", x="device_hours", log="yes")

    made = option(page, "curves")
    assert made["yAxis"][0]["type"] == "log"
    assert made["xAxis"][0]["name"] == "device-hours"
    trial = next(
        trial
        for trial in page.request.get(f"{address}api/snapshot").json()["trials"]
        if (trial["point"], trial["seed"]) == ("alpha1=1.0 alpha2=2.0", 0)
    )
    shown = [float(cells[0]) for cells in numbers(page, "curves")]
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(trial["gpu_hours"], rel=0.006)


def test_curves_of_two_studies_are_named_by_theirs(look: Watched, address: str) -> None:
    page = look.show(address, "curves", q="seed=0 alpha1=1.0")
    page.locator("#curves-details > summary").click()
    titles = titles_of(page, "#curves-numbers")[1:]
    assert {title.split(":")[0] for title in titles} == {"sweep", "longer"}


def test_a_brush_keeps_lines_and_stands_in_the_address(look: Watched, address: str) -> None:
    study = study_named(look.page, address, "sweep")
    page = look.show(address, "parallel", study=study)
    until_true(page, "document.getElementById('parallel')?.chart")
    axes = option(page, "parallel")["parallelAxis"]
    assert [axis["type"] for axis in axes if axis["name"] in ("method.alpha1", "method.alpha2")] == ["log", "value"]
    drag = """([id, interval]) => document.getElementById('parallel').chart.dispatchAction(
        {type: 'axisAreaSelect', parallelAxisId: id, intervals: [interval]})"""
    page.evaluate(drag, [axes[0]["id"], [0.9, 1.1]])
    expect(page).to_have_url(re.compile("brush=method.alpha1"))

    page.reload()
    until_true(page, "document.getElementById('parallel')?.chart")
    active = "document.getElementById('parallel')?.chart?.getModel()?.getComponent('parallelAxis', 0)?.activeIntervals"
    until_true(page, f"{active}?.length === 1")
    assert page.evaluate(active) == [[0.9, 1.1]]


def test_any_two_quantities_stand_against_each_other(look: Watched, address: str) -> None:
    study = study_named(look.page, address, "sweep")
    page = look.show(address, "cost", study=study, cost="method.alpha1", y="loss/total")

    assert option(page, "cost")["yAxis"][0]["name"] == "Total loss"
    shown = {cells[1] for cells in numbers(page, "cost")}
    assert shown == {"0.5", "1", "2", "4"}
    expect(page.locator("#choose-y")).to_have_value("loss/total")


def test_importance_tells_how_sure_it_is_and_which_way_a_setting_works(look: Watched, address: str) -> None:
    page = look.show(address, "importance", study=study_named(look.page, address, "sweep"))

    rows = {cells[0]: cells[1:] for cells in numbers(page, "importance-0")}

    share, low, high, rho, words = rows["method.alpha1"]
    assert 0 <= float(low) <= float(high) <= 1
    assert float(share) > 0.5
    assert float(rho) > 0.9
    assert words == "larger is better"  # the made-up AP rises with the number of a trial, and so with alpha1


def test_colours_of_one_seed_are_no_further_apart_than_chance(look: Watched, address: str) -> None:
    page = look.show(address, "alpha", grid="1")  # two points of one seed each, at most 0.3 AP apart
    scale = option(page, "alpha")["visualMap"][0]
    assert float(str(scale["max"])) - float(str(scale["min"])) >= 2.0
