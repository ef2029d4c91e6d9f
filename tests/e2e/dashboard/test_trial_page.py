"""A trial has a page, and the leaderboard leads to it."""

import re

from playwright.sync_api import Browser, expect

from tests.e2e.dashboard.browser import PHONE, Watched, watched
from tests.e2e.dashboard.page_tables import cells_of, study_named


def test_a_row_leads_to_its_trials(look: Watched, address: str) -> None:
    page = look.show(address, "leaderboard", study=study_named(look.page, address, "sweep"))

    page.get_by_role("link", name="bckd alpha1=1.0 alpha2=4.0", exact=True).click()

    expect(page.locator("main[data-view=trial]")).to_be_visible()
    expect(page.locator("#choose-trial option")).to_have_text([re.compile(r"seed=[01]$")] * 2)
    other = page.locator("#choose-trial option").nth(1)
    name, run = other.inner_text(), other.get_attribute("value")
    page.locator("#choose-trial").select_option(run)
    expect(page.locator("h1")).to_have_text(name)


def test_it_shows_settings_that_its_neighbours_have_otherwise_results_and_commands(look: Watched, address: str) -> None:
    study = study_named(look.page, address, "sweep")
    trials = look.page.request.get(f"{address}api/snapshot").json()["trials"]
    [trial] = [
        one for one in trials if one["point"] == "alpha1=1.0 alpha2=4.0" and one["seed"] == 0 and one["study"] == study
    ]
    page = look.show(address, "trial", trials=trial["run"])

    settings = {cells[0]: cells[1:] for cells in cells_of(page, "#own-settings")}
    assert settings["method.alpha1"] == ["1.0", "0.5, 2.0, 4.0"]
    assert settings["seed"] == ["0", "1"]
    assert "schedule.epochs" not in settings
    expect(page.locator("#trial-best")).to_have_text(f"{100 * trial['best'][0]:.2f}")
    expect(page.locator("#next")).to_contain_text(f"stillhouse export STUDY --trial {trial['id']} --to student")
    metrics = {cells[0] for cells in cells_of(page, "#trial-metrics")}
    assert {"AP", "Total loss", "Loss: bckd-cls"} <= metrics
    expect(page.locator("#trial-classes tbody tr")).to_have_count(3)
    for chart in ("trial-curve", "terms-loss", "terms-ratio"):
        expect(page.locator(f"#{chart} canvas").first).to_be_visible()
    expect(page.locator("main")).to_contain_text("A student of study sweep")  # its note in MLflow


def test_it_leads_to_the_trial_whose_state_it_started_from(look: Watched, address: str) -> None:
    trials = look.page.request.get(f"{address}api/snapshot").json()["trials"]
    trial = next(one for one in trials if one["prefix"])
    page = look.show(address, "trial", trials=trial["run"])

    expect(page.locator("#trial-prefix")).to_contain_text("after epoch 3: those epochs are counted in its hours")
    page.locator("#trial-prefix a").click()

    expect(page.locator("#choose-trial")).to_have_value(trial["prefix"]["run"])
    expect(page.locator("#trial-prefix")).to_have_count(0)


def test_a_failed_trial_shows_its_reason_and_how_to_try_it_again(look: Watched, address: str) -> None:
    page = look.show(address, "leaderboard", states="failed", study=study_named(look.page, address, "sweep"))
    page.get_by_role("link", name=re.compile("not final")).first.click()

    expect(page.locator("#trial-events")).to_contain_text("the loss is not finite at step 70")
    expect(page.locator("#next")).to_contain_text("stillhouse retry STUDY --trial")
    expect(page.locator("#log")).to_have_text("Nothing was recorded.")


def test_leaderboard_has_columns_to_choose_and_marks_the_best_row(look: Watched, address: str) -> None:
    study = study_named(look.page, address, "sweep")
    page = look.show(address, "leaderboard", study=study)
    heads = page.locator("section.group thead th")
    assert [head.split()[0] for head in heads.all_inner_texts()[:4]] == ["Rank", "Trials", "AP", "State"]
    expect(page.locator("tr.best")).to_have_count(1)
    expect(page.locator("tr.best")).to_contain_text("bckd alpha1=4.0 alpha2=2.0")
    expect(page.locator("tr.unended").first).to_contain_text("(not final)")

    page.locator("details[id^=columns-] > summary").click()
    page.get_by_role("checkbox", name="AP75").click()
    expect(page.locator("section.group thead")).not_to_contain_text("AP75")
    page.reload()
    expect(page.locator("section.group thead")).to_contain_text("AP50")
    expect(page.locator("section.group thead")).not_to_contain_text("AP75")


def test_leaderboard_groups_rows_by_a_searched_setting(look: Watched, address: str) -> None:
    page = look.show(address, "leaderboard", study=study_named(look.page, address, "sweep"))
    page.locator("#choose-by").select_option("method.alpha1")
    expect(page.locator("h3")).to_have_text(
        [re.compile("not distilled"), *(re.compile(f"alpha1 {a}") for a in ("0.5", "1", "2", "4"))]
    )
    expect(page.locator("section.group table").nth(1).locator("tbody tr")).to_have_count(2)


def test_groups_go_by_words_with_their_digests_to_be_pointed_at(look: Watched, address: str) -> None:
    page = look.show(address, "leaderboard", study=study_named(look.page, address, "sweep"))
    heading = page.locator("section.group h2")
    expect(heading).to_have_text(re.compile("^shapes · 8 epochs"))
    assert not re.search(r"\b[0-9a-f]{8}\b", heading.inner_text())
    assert re.search(r"data: shapes [0-9a-f]{8}", heading.get_attribute("title") or "")


def test_filters_take_one_row_and_fold_on_a_phone(browser: Browser, address: str) -> None:
    with watched(browser) as look:
        page = look.show(address, "leaderboard")
        assert page.locator("#filters").bounding_box()["height"] < 90  # type: ignore[index]
    with watched(browser, PHONE) as look:
        page = look.show(address, "failures")
        assert page.locator("#filters").bounding_box()["height"] < 90  # type: ignore[index]
        expect(page.locator("#view-failures")).to_be_in_viewport()
        page.locator("#filters-toggle").click()
        expect(page.locator("#filter-q")).to_be_visible()


def test_predictions_go_by_class_size_and_arrow_keys(look: Watched, address: str) -> None:
    page = look.show(address, "predictions")
    image = page.locator("#choose-image")
    expect(image).to_have_value("7")
    page.keyboard.press("ArrowRight")
    expect(image).to_have_value("11")
    page.keyboard.press("ArrowLeft")
    expect(image).to_have_value("7")
    page.locator("#choose-size").select_option("medium")
    expect(page.locator("#choose-image option")).to_have_count(2)
    page.locator("#choose-size").select_option("small")
    expect(page.locator(".state.empty")).to_contain_text("No image has such an object")
    page.locator("#choose-size").select_option("")
    page.locator("#choose-order").select_option("worst")
    expect(page.locator("#choose-image option").first).to_contain_text("1 of 2")


def test_age_follows_the_servers_clock_and_is_asked_for_when_it_is_looked_at(browser: Browser, address: str) -> None:
    """A page that the server answers with numbers of eight hours ago says so, and asks again at once."""
    with watched(browser) as look:
        fresh = look.page.request.get(f"{address}api/snapshot").json()
        old = fresh | {"generated_at": fresh["generated_at"] - 8 * 3600}
        asked: list[str] = []

        def answer(route: object, request: object) -> None:
            asked.append(request.url)  # type: ignore[attr-defined]
            content = old if len(asked) == 1 else fresh | {"unchanged": True}
            route.fulfill(json=content, headers={"date": look_date(fresh["generated_at"])})  # type: ignore[attr-defined]

        look.page.route("**/api/snapshot*", answer)
        look.page.goto(address)
        expect(look.page.locator("#freshness.stale")).to_contain_text("8 hours ago")
        expect(look.page.locator("#freshness:not(.stale)")).to_contain_text("Up to date")
        assert len(asked) >= 2


def look_date(moment: float) -> str:
    """Return a moment as servers write it into the header of an answer."""
    from email.utils import formatdate

    return formatdate(moment, usegmt=True)
