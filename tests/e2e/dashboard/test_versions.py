"""The page shows a study as it was run last, and earlier versions when they are chosen."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from dashboards.export import export
from dashboards.snapshot import Query
from tests.e2e.dashboard.browser import reads, watched
from tests.unit.dashboards.fake_tracking import AP, START, FakeTracking, taught_by


def test_an_earlier_version_is_chosen_in_the_list_of_studies(browser: Browser, tmp_path: Path) -> None:
    store = FakeTracking()
    common = {"experiment": "tiny", "started": START}
    first = store.study("tiny", studies=("a" * 12,), run_at=START, planned=2, **common)
    second = store.study("tiny", studies=("b" * 12,), run_at=START + 60, planned=2, **common)
    for alpha, members in (("1", ("a",)), ("2", ("a", "b")), ("3", ("b",))):
        params = taught_by("0000000000aa") | {"method.alpha1": alpha, "seed": "0"}
        studies = tuple(member * 12 for member in members)
        store.trial(second, "bckd", {AP: [0.1 * int(alpha)]}, params=params, studies=studies, parent="", **common)
    file = tmp_path / "page.html"
    export(store, Query(now=START + 100), file)
    with watched(browser) as look:
        page = look.show(file.as_uri(), "leaderboard")
        expect(page.locator("#filter-study option")).to_have_count(3)
        reads(page, lambda: shown(page), ["bckd alpha1=2", "bckd alpha1=3"])
        page.locator("#filter-study").select_option(first)
        expect(page.locator("#older")).to_contain_text("This is tiny as it was run until")
        reads(page, lambda: shown(page), ["bckd alpha1=1", "bckd alpha1=2"])
        for view in ("overview", "curves", "cost", "parallel"):
            look.show(file.as_uri(), view, study=first)
            expect(page.locator("#count")).to_have_text("2 trials of 2")
        page.get_by_role("link", name="show the present version").click()
        expect(page.locator("#older")).to_have_count(0)
        assert look.errors == []


def shown(page: Page) -> list[str]:
    """Return the rows of the leaderboard by name."""
    return sorted(page.locator(".row-link").all_inner_texts())
