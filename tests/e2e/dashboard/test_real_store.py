"""Each view of a store that a study was really run in, its numbers held against MLflow's client.

The store is that of the tiny study, which other tests run anyhow; ``STILLHOUSE_STORE`` names another one, such as the
quickstart's, whose numbers differ more.
"""

import json
import math
from collections.abc import Sequence

import pytest
from mlflow.entities import Run
from playwright.sync_api import expect
from scipy.stats import spearmanr

from orchestrator.tracking.tags import EVENTS, KIND, PLANNED, REASON, STATUS
from tests.e2e.dashboard.browser import Watched
from tests.e2e.dashboard.page_tables import cells_of, numbers, titles_of
from tests.e2e.dashboard.real_store import AP, RealStore, gain, spread

THREE_DIGITS = 0.0051  # relative: what is lost by writing three significant digits


def test_overview_counts_trials_and_names_the_best(look: Watched, real: RealStore) -> None:
    for study in (run for run in real.runs if run.data.tags.get(KIND) == "study"):
        page = look.show(real.address, "overview", study=study.info.run_id)
        card = page.locator(f"[data-study='{study.info.run_id}']")
        trials = [run for run in real.trials if run.data.tags["mlflow.parentRunId"] == study.info.run_id]
        ended = [run for run in trials if run.info.status != "RUNNING"]
        expect(card).to_contain_text(f"{len(ended)} of {study.data.tags[PLANNED]} trials ended")
        best = max(real.best(run) for run in trials if run in real.students)
        expect(card.locator("[data-best]")).to_have_text(f"{100 * best:.1f}")
        expect(card).not_to_contain_text("Compare")  # links for MLflow's own pages
        hours = card.locator("dt", has_text="Cost").locator("xpath=following-sibling::dd").inner_text().split()
        assert hours[1:] == ["CPU", "worker-hours"]  # the machine that tests have is not taken for a GPU
        assert float(hours[0]) == pytest.approx(sum(map(real.hours, trials)), rel=THREE_DIGITS)


def test_leaderboard_holds_every_trial_once_with_mean_and_gain(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "leaderboard")

    shown: list[Run] = []
    for section in page.locator("section.group").all():
        table = section.locator("table").first
        titles = [text.rstrip(" ↓↑") for text in table.locator("th").all_inner_texts()]
        rows = []
        for line in table.locator("tbody tr").all():
            cells = dict(zip(titles, line.locator("td").all_inner_texts(), strict=True))
            link = line.locator(".row-link").get_attribute("href") or ""
            rows.append((cells, [real.run(run) for run in link.split("trials=")[1].split("&")[0].split("%2C")]))
        alone = [real.best(run) for _, runs in rows for run in runs if run in real.alone]
        for cells, runs in rows:
            best = [real.best(run) for run in runs]
            assert cells["Seeds"] == str(len(runs))
            assert cells["AP"] == spread(best)
            assert cells["Best"] == f"{100 * max(best):.1f}"
            assert cells["Last"] == spread([real.history(run, AP)[-1] for run in runs])
            if runs[0] in real.distilled:
                assert cells["To none"].strip() == gain(sum(best) / len(best) - sum(alone) / len(alone))
            shown += runs
    assert sorted(run.info.run_id for run in shown) == sorted(run.info.run_id for run in real.trials)


def test_filter_and_search_keep_the_trials_that_mlflow_names(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "leaderboard")

    page.locator("#filter-methods > summary").click()
    page.locator("#filter-methods").get_by_text("none").click()
    expect(page.locator("#count")).to_have_text(f"{counted(real.alone)} of {len(real.trials)}")
    page.get_by_role("button", name="Clear filters").click()
    wanted = real.distilled[-1].data.params["method.alpha1"]
    found = [run for run in real.trials if run.data.params.get("method.alpha1") == wanted]
    page.get_by_label("Search").fill(f"method.alpha1={wanted}")
    expect(page.locator("#count")).to_have_text(f"{counted(found)} of {len(real.trials)}")


def test_comparison_names_what_differs(look: Watched, real: RealStore) -> None:
    pair = (real.distilled[0], real.alone[0])
    page = look.show(real.address, "compare", a=pair[0].info.run_id, b=pair[1].info.run_id)

    settings = {cells[0]: cells[1:] for cells in cells_of(page, "#settings")}
    metrics = {cells[0]: cells[1:] for cells in cells_of(page, "#metrics")}

    one, other = (run.data.params for run in pair)
    differing = {key for key in one.keys() | other.keys() if one.get(key) != other.get(key)}
    assert settings.keys() == differing
    assert all(len(one.get(key, "–")) > 120 or settings[key][0] == one.get(key, "–") for key in differing)
    best, last = [real.best(run) for run in pair], [real.history(run, AP)[-1] for run in pair]
    assert metrics["AP"] == [
        *(f"{100 * value:.2f}" for value in best), gain(best[1] - best[0], 2), *(f"{100 * value:.2f}" for value in last),
    ]  # fmt: skip
    losses = [real.best(run, "loss/total") for run in pair]
    assert [float(cell) for cell in metrics["Total loss"][:2]] == pytest.approx(losses, rel=THREE_DIGITS)
    expect(page.locator("#guard")).to_have_count(0)
    expect(page.locator("#overlay canvas").first).to_be_visible()


@pytest.mark.parametrize("metric", [AP, "loss/total"])
def test_curves_hold_every_epoch(metric: str, look: Watched, real: RealStore) -> None:
    for run in (real.distilled[0], real.alone[0], real.teachers[0]):
        page = look.show(real.address, "curves", trials=run.info.run_id, metric=metric)
        shown = [cells[1] for cells in numbers(page, "curves")]
        history = real.history(run, metric)
        wanted = percent(history) if metric == AP else pytest.approx(history, rel=THREE_DIGITS)
        assert [float(cell) for cell in shown] == wanted


def test_terms_hold_loss_ratio_and_share_of_the_gradient(look: Watched, real: RealStore) -> None:
    run = real.distilled[-1]
    page = look.show(real.address, "terms", trial=run.info.run_id)

    for family in ("loss", "ratio", "grad_share"):
        shown = numbers(page, f"terms-{family}")
        terms = titles_of(page, f"#terms-{family}-numbers")[1:]
        assert {f"{family}/{term}" for term in terms} == {
            key for key in run.data.metrics if key.startswith(f"{family}/")
        }
        for place, term in enumerate(terms, 1):
            history = real.history(run, f"{family}/{term}")
            assert [float(cells[place]) for cells in shown] == pytest.approx(history, rel=THREE_DIGITS), term


def test_student_alone_stands_beside_the_distilled_ones(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "phases")

    shown = numbers(page, "phase-0")

    titles = titles_of(page, "#phase-0-numbers")
    assert f"none (n={len(real.alone)})" in titles
    assert sum("bckd" in title for title in titles) == min(4, len({point(run) for run in real.distilled}))
    means = [sum(values) / len(values) for values in zip(*(real.history(run, AP) for run in real.alone), strict=True)]
    place = titles.index(f"none (n={len(real.alone)})")
    assert [float(cells[place]) for cells in shown] == percent(means)


def test_heat_map_holds_every_point(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "alpha")

    shown = {tuple(map(float, cells[:2])): (cells[2], cells[4]) for cells in numbers(page, "alpha")}

    wanted: dict[tuple[float, ...], list[float]] = {}
    for run in real.distilled:
        wanted.setdefault(point(run), []).append(real.best(run))
    assert shown == {
        place: (f"{100 * sum(found) / len(found):.2f}", str(len(found))) for place, found in wanted.items()
    }


def test_parallel_coordinates_hold_settings_and_result_of_each_student(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "parallel")

    shown = numbers(page, "parallel")

    titles = titles_of(page, "#parallel-numbers")
    keys = titles[1:-1]
    assert "method.alpha1" in keys
    assert sorted(cells[1:] for cells in shown) == sorted(
        [*(run.data.params.get(key, "–") for key in keys), f"{100 * real.best(run):.2f}"] for run in real.students
    )


def test_importance_is_of_the_searched_settings_or_says_what_it_lacks(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "importance")

    if len(real.distilled) < 10:
        expect(page.locator("main")).to_contain_text(f"needs 10 trials with a result, there are {len(real.distilled)}")
    else:
        shown = {cells[0]: float(cells[1]) for cells in numbers(page, "importance-0")}
        assert {"method.alpha1", "method.alpha2"} & shown.keys()
        assert sum(shown.values()) == pytest.approx(1, abs=0.01)


def test_cost_holds_hours_result_and_the_front(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "cost")

    shown = sorted((float(ap), float(hours), front) for _, hours, ap, front in numbers(page, "cost"))

    wanted = sorted((round(100 * real.best(run), 2), real.hours(run), on_front(real, run)) for run in real.students)
    assert [(ap, front) for ap, _, front in shown] == [(ap, front) for ap, _, front in wanted]
    assert sorted(hours for _, hours, _ in shown) == pytest.approx(sorted(h for _, h, _ in wanted), rel=THREE_DIGITS)


def test_early_order_is_spearmans(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "rungs")

    curves = [real.history(run, AP) for run in real.students]
    wanted = [rank_correlation(epoch, [curve[-1] for curve in curves]) for epoch in zip(*curves, strict=True)]
    if all(rho is None for rho in wanted):
        expect(page.locator(".state.empty")).to_contain_text("No order to compare yet")
    else:
        assert [cells[1] for cells in numbers(page, "rungs")] == ["–" if r is None else f"{r:.2f}" for r in wanted]


def test_classes_stand_beside_the_teachers_and_the_student_alone(look: Watched, real: RealStore) -> None:
    run = real.distilled[0]
    page = look.show(real.address, "classes", trial=run.info.run_id)

    shown = {cells[0]: cells[1:] for cells in cells_of(page, "#class-table")}

    assert shown.keys() == {key.removeprefix("class_AP/") for key in run.data.metrics if key.startswith("class_AP/")}
    for name, cells in shown.items():
        values = [real.best(each, f"class_AP/{name}") for each in (run, real.teachers[0], real.alone[0])]
        student, teacher, alone = values
        assert [cells[0], cells[1], cells[3]] == ["–" if math.isnan(v) else f"{100 * v:.1f}" for v in values]
        if not any(map(math.isnan, values)):
            assert [cells[2], cells[4]] == [gain(student - teacher), gain(student - alone)]


def test_predictions_count_what_the_recorded_boxes_say(look: Watched, real: RealStore) -> None:
    studies = [run.info.run_id for run in real.runs if run.data.tags.get(KIND) == "study"]
    index = next(found for study in studies if (found := real.file(study, "index.json")))
    picture = index["images"][0]
    page = look.show(real.address, "predictions", image=picture["key"])
    runs = page.locator(".chips input:checked[value]").evaluate_all("boxes => boxes.map(box => box.value)")
    assert len(runs) == min(4, len(index["trials"]))

    for threshold in (0.1, 0.3, 0.5):
        page.get_by_role("button", name=f"{threshold}").click()
        for place, run in enumerate(runs, 1):
            found = real.file(run, f"{picture['key']}.json")
            expect(page.locator(".panel").nth(place).locator("[data-said]")).to_have_text(
                said(picture, found, threshold)
            )


def test_score_distributions_hold_the_recorded_counts(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "predictions")
    page.wait_for_selector("#scores-0")
    runs = page.locator(".chips input:checked[value]").evaluate_all("boxes => boxes.map(box => box.value)")

    for place, run in enumerate(runs):
        counts = real.file(run, "scores.json")
        shown = [list(map(int, cells[1:])) for cells in numbers(page, f"scores-{place}")]
        assert shown == [list(pair) for pair in zip(counts["tp"], counts["fp"], strict=True)]


def test_failures_are_the_recorded_events(look: Watched, real: RealStore) -> None:
    page = look.show(real.address, "failures")

    failed = [run for run in real.trials if run.data.tags.get(STATUS) == "failed"]
    events = sum(len(json.loads(run.data.tags.get(EVENTS, "[]"))) for run in real.trials)
    if not failed and not events:
        expect(page.locator(".state.empty")).to_contain_text("Nothing failed")
    else:
        assert len(cells_of(page, "#failures")) >= events
        for run in failed:
            expect(page.locator("#failures")).to_contain_text(run.data.tags[REASON][:60])


def percent(history: Sequence[float]) -> object:
    """Return what equals the curve in percent: five digits travel, so of the two decimals shown the last can be off by one."""
    return pytest.approx([100 * value for value in history], abs=0.0101)


def point(run: Run) -> tuple[float, ...]:
    """Return alpha1 and alpha2."""
    return tuple(float(run.data.params[f"method.{name}"]) for name in ("alpha1", "alpha2"))


def counted(runs: Sequence[Run]) -> str:
    return f"{len(runs)} trial{'' if len(runs) == 1 else 's'}"


def on_front(real: RealStore, run: Run) -> str:
    """Return whether no other student is at least as good in both and better in one."""
    own = (real.hours(run), -real.best(run))
    others = [(real.hours(other), -real.best(other)) for other in real.students]
    return "no" if any(h <= own[0] and ap <= own[1] and (h, ap) != own for h, ap in others) else "yes"


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    if len(one) < 3 or len(set(one)) == 1 or len(set(other)) == 1:
        return None
    rho: float = spearmanr(one, other).statistic
    return rho


def said(picture: dict[str, list[dict[str, object]]], found: dict[str, list[float]], threshold: float) -> str:
    """Return what stands below a picture, counted from the recorded boxes."""
    boxes = zip(found["scores"], found["kinds"], found["matches"], strict=True)
    kept = [(kind, match) for score, kind, match in boxes if score >= threshold]
    met = {match for kind, match in kept if kind == "tp"}
    objects = {place for place, truth in enumerate(picture["truth"]) if not truth["ignore"]}
    kinds = [kind for kind, _ in kept]
    return f"{kinds.count('tp')} right, {kinds.count('fp')} wrong, {len(objects - met)} missed"
