"""Precision over recall and confusions are shown as they were recorded, by mouse and keyboard."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e.dashboard.browser import Watched, reads
from tests.e2e.dashboard.page_tables import study_named, titles_of


def row(page: Page, table: str, name: str) -> list[str]:
    found = page.locator(f"#{table} tbody tr").filter(has=page.get_by_role("rowheader", name=name, exact=True))
    return found.locator("td").all_inner_texts()


def recorded(page: Page, address: str, run: str, name: str) -> Any:
    return page.request.get(f"{address}api/artifact?run={run}&path=predictions/{name}.json").json()


def test_a_matrix_counts_what_was_recorded_at_the_chosen_score_and_iou(look: Watched, address: str) -> None:
    page = look.show(address, "precision", study=study_named(look.page, address, "sweep"))
    reads(
        page, lambda: row(page, "confusion-0", "circle"), ["16", "1", "0", "3", "80 %"]
    )  # 18 at a score of 0.1, two fewer at 0.3
    reads(page, lambda: row(page, "confusion-0", "square"), ["0", "10", "0", "0", "100 %"])
    reads(page, lambda: row(page, "confusion-0", "nothing there"), ["0", "0", "7", "", ""])
    reads(page, lambda: row(page, "confusion-0", "precision"), ["100 %", "91 %", "0 %", "", ""])
    page.locator("#choose-threshold").select_option("0.9")
    reads(page, lambda: row(page, "confusion-0", "circle")[:1], ["10"])
    page.locator("#choose-iou").select_option("iou75")
    reads(page, lambda: row(page, "confusion-0", "circle"), ["0", "0", "0", "20", "0 %"])
    page.reload()
    expect(page.locator("#choose-threshold")).to_have_value("0.9")
    expect(page.locator("#confusion-0")).to_be_visible()


def test_the_curves_of_trials_stand_beside_each_other_with_their_ap(look: Watched, address: str) -> None:
    page = look.show(address, "precision", study=study_named(look.page, address, "sweep"))
    expect(page.locator("#precision-curves canvas").first).to_be_visible()
    page.locator("#precision-curves-details > summary").click()
    heads = titles_of(page, "#precision-curves-numbers")
    runs = page.locator("#precision .chip input").evaluate_all("boxes => boxes.map(box => box.value)")
    curves = [recorded(page, address, run, "curves") for run in runs[:3]]
    areas = [100 * sum(curve["whole"]["iou50"]) / 101 for curve in curves]
    shown = [head.partition(",")[0] for head in heads[1:]]
    assert shown == [f"AP50 {area:.1f}" for area in areas]
    assert len(set(shown)) == 3
    expect(page.locator("#precision-curves-numbers tbody tr")).to_have_count(101)
    page.locator("#choose-class").select_option("triangle")
    expect(page.locator("#precision")).to_contain_text("no object of this class")


def test_a_trial_of_an_earlier_release_is_named_and_asked_for_nothing(look: Watched, address: str) -> None:
    """Its predictions are shown as before: no request for a file that is not there fails."""
    page = look.show(address, "precision", study=study_named(look.page, address, "sweep"))
    expect(page.locator("#precision")).to_contain_text("Without curves:")
    expect(page.locator(".confusion")).to_have_count(3)
    for chip in page.locator("#precision .chip input").all()[:3]:
        chip.uncheck()
    expect(page.locator(".state.empty")).to_contain_text("No curves are recorded of these trials")


def test_controls_go_by_keyboard_and_keep_the_focus(look: Watched, address: str) -> None:
    page = look.show(address, "precision", study=study_named(look.page, address, "sweep"))
    chip = page.locator("#precision .chip input").first
    chip.focus()
    page.keyboard.press("Space")
    expect(page.locator(".confusion")).to_have_count(2)
    expect(chip).to_be_focused()
    page.locator("#choose-threshold").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#choose-threshold")).to_have_value("0.4")
    expect(page.locator("#choose-threshold")).to_be_focused()


def test_a_trials_page_draws_its_curve_beside_teacher_and_student_alone(look: Watched, address: str) -> None:
    study = study_named(look.page, address, "sweep")
    trials = look.page.request.get(f"{address}api/snapshot").json()["trials"]
    [trial] = [
        one for one in trials if one["study"] == study and one["method"] == "none" and one["seed"] == 0
        and one["role"] == "student"
    ]  # fmt: skip
    page = look.show(address, "trial", trials=trial["run"])
    expect(page.locator("#trial-precision canvas").first).to_be_visible()
    expect(page.locator("#trial-confusion")).to_be_visible()
    page.locator("#trial-errors a").click()
    expect(page.locator("main[data-view=precision]")).to_be_visible()
    expect(page.locator(".confusion").first).to_contain_text("none")


def test_the_exported_file_shows_them_too(look: Watched, exported: Path) -> None:
    page = look.show(exported.as_uri(), "precision")
    expect(page.locator("#precision-curves canvas").first).to_be_visible()
    reads(page, lambda: row(page, "confusion-0", "circle"), ["16", "1", "0", "3", "80 %"])


def test_of_many_classes_those_with_most_mistakes_stand_by_themselves_and_nothing_is_lost(
    look: Watched, address: str
) -> None:
    """Drive the page's own module: no study of the tests has so many classes."""
    page = look.show(address, "overview")
    classes = [f"c{n}" for n in range(30)]
    missed = [[n, 30, [n]] for n in range(30)]
    cells = [[n, n, [50]] for n in range(30)] + missed + [[28, 29, [9]], [0, 1, [1]], [30, 5, [4]]]
    made = page.evaluate(
        """async ([cells, classes]) => (await import("./app/split_errors.js")).matrixOf(
            {ious: [0.5], scores: [0.3], cells: [cells]}, classes, 0.5, 0.3)""",
        [cells, classes],
    )
    assert made["names"] == [*(f"c{n}" for n in range(18, 30)), "18 other classes", "background"]
    assert made["pooled"] == 18
    assert sum(map(sum, made["counts"])) == sum(found[0] for _, _, found in cells)
    assert sum(made["right"]) == 30 * 50
    assert made["counts"][12][12] == 18 * 50 + 1
    assert made["counts"][10][11] == 9


def test_a_choice_below_leaves_the_page_where_it_is(look: Watched, address: str) -> None:
    page = look.show(address, "precision", study=study_named(look.page, address, "sweep"))
    page.set_viewport_size({"width": 1280, "height": 500})
    page.locator("#choose-threshold").scroll_into_view_if_needed()
    page.evaluate("scrollTo(0, 400)")
    page.locator("#choose-threshold").select_option("0.5")
    expect(page.locator("#confusion-0")).to_contain_text("14")
    assert page.evaluate("scrollY") == 400
