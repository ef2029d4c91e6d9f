"""Every view draws, by mouse and keyboard, whatever the names are, served and from a file."""

import difflib
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.views import BUILT_IN
from tests.e2e.dashboard.browser import PHONE, Watched, reads, until_true, watched
from tests.e2e.dashboard.fake_store import HOSTILE
from tests.e2e.dashboard.page_tables import cells_of, numbers, titles_of

AXE = Path(__file__).with_name("axe.min.js")
VIEWS = tuple(view.id for view in BUILT_IN)
CHARTS = {
    "trial": "trial-curve", "compare": "overlay", "curves": "curves", "terms": "terms-loss", "phases": "phase-0", "alpha": "alpha",
    "parallel": "parallel", "importance": "importance-0", "cost": "cost", "rungs": "rungs", "classes": "classes",
    "predictions": "scores-0", "failures": "timeline",
}  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_view_draws(view: str, look: Watched, address: str) -> None:
    page = look.show(address, view)

    expect(page.locator(f"#view-{view}")).to_have_attribute("aria-current", "page")
    expect(page.locator(".state")).to_have_count(0)
    if view in CHARTS:
        expect(page.locator(f"#{CHARTS[view]} canvas").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(scheme: str, browser: Browser, address: str) -> None:
    with watched(browser, scheme=scheme) as look:
        for view in VIEWS:
            assert serious_faults(look.show(address, view)) == [], view


def test_nothing_is_wider_than_a_phone(browser: Browser, address: str) -> None:
    with watched(browser, PHONE) as look:
        for view in VIEWS:
            page = look.show(address, view)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], view
            assert serious_faults(page) == [], view


def test_the_names_of_views_stay_beside_the_page(look: Watched, address: str) -> None:
    page = look.show(address, "overview")
    wider = "links => links.filter(link => link.scrollWidth > link.clientWidth).map(link => link.textContent)"
    assert page.locator("nav a, .views a").evaluate_all(wider) == []


def test_hostile_names_and_values_are_text(look: Watched, address: str) -> None:
    for view in VIEWS:
        page = look.show(address, view)
        assert page.evaluate("window.hacked") is None, view
        expect(page.locator("main script, main img[src=x]"), view).to_have_count(0)
    expect(page.locator("#failures")).to_contain_text(HOSTILE)
    look.show(address, "leaderboard", q="onerror")
    expect(page.locator("main")).to_contain_text("<img src=x onerror=window.hacked=1>")


def test_filters_choose_trials_and_stand_in_the_address(look: Watched, address: str) -> None:
    page = look.show(address, "leaderboard")
    expect(page.locator(".row-link").first).to_be_visible()
    everything = page.locator(".row-link").count()

    page.locator("#filter-methods > summary").click()
    page.locator("#filter-methods").get_by_text("none").click()
    expect(page.locator("#count")).to_have_text("4 trials of 28")
    expect(page.locator(".row-link", has_not_text=re.compile("^none"))).to_have_count(0)
    labels = page.locator(".row-link").all_inner_texts()
    assert labels
    assert everything > len(labels)

    page.reload()
    expect(page.locator(".row-link")).to_have_text(labels)
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".row-link")).to_have_count(everything)

    page.get_by_label("Search").fill("alpha1=0.5 alpha2=2.0")
    wanted = "bckd alpha1=0.5 alpha2=2.0"
    expect(page.locator(".row-link", has_not_text=wanted)).to_have_count(0)
    reads(page, lambda: set(page.locator(".row-link").all_inner_texts()), {wanted})


def test_filter_that_lets_nothing_through_can_be_cleared_where_it_shows(look: Watched, address: str) -> None:
    page = look.show(address, "leaderboard", q="nosuchthing")

    expect(page.locator(".state.empty")).to_contain_text("No trial passes the filters")
    page.locator(".state.empty button").click()
    expect(page.locator(".row-link").first).to_be_visible()


def test_threshold_hides_boxes_and_counts_what_is_left(look: Watched, address: str) -> None:
    page = look.show(address, "predictions")
    panel = page.locator(".panel").nth(1)

    for threshold, said in (
        ("0.1", "2 right, 1 wrong, 0 missed"),
        ("0.3", "2 right, 0 wrong, 0 missed"),
        ("0.5", "1 right, 0 wrong, 1 missed"),
    ):
        page.get_by_role("button", name=threshold).click()
        expect(panel.locator("[data-said]")).to_have_text(said)
        right, wrong, missed = (int(part.split()[0]) for part in said.split(", "))
        for kind, count in (("right", right), ("wrong", wrong), ("missed", missed)):
            expect(panel.locator(f".box.{kind}:not([hidden])")).to_have_count(count)

    page.locator("#threshold").focus()
    page.keyboard.press("End")
    expect(panel.locator("[data-said]")).to_have_text("0 right, 0 wrong, 2 missed")
    expect(page).to_have_url(re.compile("threshold=1"))


def test_ap_stands_against_the_size_and_speed_of_the_detector_as_well(look: Watched, address: str) -> None:
    page = look.show(address, "cost")
    numbers(page, "cost")  # opens the table, which stays open
    for cost, title, shown in (("parameters", "Params", "750 k"), ("latency_ms", "Latency", "12.5 ms")):
        page.locator("#choose-cost").select_option(cost)
        expect(page.locator("#choose-cost")).to_have_value(cost)
        reads(page, lambda: {cells[1] for cells in cells_of(page, "#cost-numbers")}, {shown})
        assert titles_of(page, "#cost-numbers")[1].startswith(title)
    page = look.show(address, "leaderboard")
    board = page.locator("table[id^=rows-]").first
    place = [title.split()[0] for title in board.locator("thead th").all_inner_texts()].index("Params")
    cells = [board.locator("tbody tr").nth(row).locator("td, th").nth(place) for row in (0, 1)]
    expect(cells[0]).to_have_text("3.00 M")  # the teacher's
    expect(cells[1]).to_have_text("750 k")


def test_groups_that_differ_are_ranked_apart_and_say_why(look: Watched, address: str) -> None:
    page = look.show(address, "leaderboard")

    expect(page.locator("section.group")).to_have_count(3)
    page.locator("#guard summary").click()
    expect(page.locator("#guard")).to_contain_text("epochs")
    page.locator("#choose-group").select_option(index=1)
    expect(page.locator("section.group")).to_have_count(1)


def test_keyboard_alone_reaches_the_views_and_sorts(look: Watched, address: str) -> None:
    page = look.show(address, "overview")

    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the view")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Leaderboard")
    page.keyboard.press("Enter")
    page.wait_for_selector("main[data-view=leaderboard]")
    expect(page.locator(":focus")).to_have_text("Leaderboard")

    page.locator(".group .sort[data-key=mean]").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("th[aria-sort=descending]").first).to_have_text(re.compile("^AP"))
    expect(page.locator(":focus")).to_have_text(re.compile("^AP"))


def test_theme_is_the_readers(browser: Browser, look: Watched, address: str) -> None:
    page = look.show(address, "overview")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)

    page.locator("#theme").click()
    page.locator("#theme").click()
    expect(page.locator("#theme")).to_have_text("Theme: dark")
    until_true(page, f"light => {ground} !== light", light)
    page.reload()
    expect(page.locator("#theme")).to_have_text("Theme: dark")


def test_exported_file_shows_the_same_offline(browser: Browser, address: str, exported: Path) -> None:
    with watched(browser) as online, watched(browser) as offline:
        offline.page.context.set_offline(True)
        for view in VIEWS:
            there, here = online.show(address, view), offline.show(exported.as_uri(), view)
            if view == "predictions":
                here.wait_for_selector("#scores-0")
                there.wait_for_selector("#scores-0")
            same_text(here, there, view)
        assert not offline.errors
        assert not offline.strangers
        expect(offline.page.locator("#freshness")).to_have_text(re.compile("^Exported"))


def test_store_that_cannot_be_read_is_said(browser: Browser, address: str) -> None:
    with watched(browser) as look:
        look.page.route(
            "**/api/snapshot*", lambda route: route.fulfill(status=503, json={"detail": "the database is locked"})
        )
        look.page.goto(address)
        expect(look.page.get_by_role("alert")).to_contain_text("the database is locked")


def test_empty_store_says_how_to_begin(browser: Browser, address: str) -> None:
    lists = (
        "studies",
        "trials",
        "groups",
        "rows",
        "alpha",
        "importance",
        "rungs",
        "pareto",
        "paper",
        "dashboards",
        "notes",
    )
    nothing = {"version": 1, "generated_at": 0, "revision": "0", "live": True, "metric": "coco/bbox_mAP", "metrics": []}
    with watched(browser) as look:
        look.page.route(
            "**/api/snapshot*", lambda route: route.fulfill(body=json.dumps(nothing | {key: [] for key in lists}))
        )
        look.page.route("**/api/histories*", lambda route: route.fulfill(json={"steps": [], "runs": {}}))
        for view in VIEWS:
            page = look.show(address, view)
            expect(page.locator(".state.empty"), view).to_have_count(1)
        assert not look.errors


def test_news_leave_the_reader_where_they_were(browser: Browser, address: str) -> None:
    with watched(browser) as look:
        look.page.clock.install()
        page = look.show(address, "curves")
        page.locator("#curves-details > summary").click()
        page.wait_for_selector("#curves-numbers")
        news = page.request.get(f"{address}api/snapshot").json() | {"revision": "newer"}
        news["studies"][0]["name"] = "renamed"
        curves = page.request.get(f"{address}api/histories").json()
        page.route("**/api/snapshot*", lambda route: route.fulfill(json=news))
        page.route("**/api/histories*", lambda route: route.fulfill(json=curves, headers={"etag": 'W/"newer"'}))
        page.clock.run_for(11_000)
        expect(page.locator("#filter-study")).to_contain_text("renamed")
        expect(page.locator("#curves-numbers")).to_be_visible()
        assert not look.errors


def test_numbers_that_grow_old_are_marked(browser: Browser, address: str) -> None:
    with watched(browser) as look:
        look.page.clock.install()
        page = look.show(address, "overview")
        page.route("**/api/snapshot*", lambda route: route.fulfill(status=503, json={"detail": "the server is away"}))
        page.clock.run_for(11_000)
        expect(page.locator("#freshness.stale")).to_contain_text("the server is away")
        expect(page.locator("#studies tbody tr")).to_have_count(3)
        page.unroute("**/api/snapshot*")
        page.clock.run_for(11_000)
        expect(page.locator("#freshness:not(.stale)")).to_contain_text("Up to date")


def same_text(one: Page, other: Page, view: str) -> None:
    """Wait until two pages read the same: some parts of a view are brought after it is drawn."""

    def differing() -> list[str]:
        texts = [page.locator("main").inner_text().splitlines() for page in (one, other)]
        return [view, *difflib.unified_diff(*texts, lineterm="", n=0)]

    reads(one, differing, [view])


def serious_faults(page: Page) -> list[str]:
    """Return the serious and critical faults that axe finds, with where."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
    return [
        f"{fault['id']}: {node['target']} {node['html'][:200]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
