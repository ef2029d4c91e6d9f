"""The numbers on the page are MLflow's."""

import re
import statistics

import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient
from playwright.sync_api import Page

from tests.e2e.dashboard.browser import Watched
from tests.e2e.dashboard.page_tables import cells_of, numbers

AP = "coco/bbox_mAP"


@pytest.fixture(scope="module")
def runs(client: MlflowClient) -> list[Run]:
    """The trials of the study ``sweep``."""
    experiment = client.get_experiment_by_name("sweep")
    return [
        run for run in client.search_runs([experiment.experiment_id], max_results=1000) if "seed" in run.data.params
    ]


def test_leaderboard_shows_mean_and_spread_over_seeds_and_the_gain(
    look: Watched, address: str, client: MlflowClient, runs: list[Run]
) -> None:
    page = look.show(address, "leaderboard")

    for alpha1, alpha2 in (("1.0", "4.0"), ("0.5", "2.0")):
        best = [max(aps(client, run)) for run in of(runs, alpha1, alpha2)]
        alone = [max(aps(client, run)) for run in runs if run.data.params["method.kind"] == "none" and is_student(run)]
        cells = row(page, f"bckd alpha1={alpha1} alpha2={alpha2}")
        assert f"{100 * statistics.fmean(best):.1f} ± {100 * statistics.stdev(best):.1f}" in cells
        assert f"{100 * max(best):.1f}" in cells
        assert f"+{100 * (statistics.fmean(best) - statistics.fmean(alone)):.1f}" in cells


def test_trials_that_were_cut_short_are_marked_and_enter_no_row(
    look: Watched, address: str, client: MlflowClient, runs: list[Run]
) -> None:
    page = look.show(address, "leaderboard")

    for alpha2, seed, status in (("4.0", "0", "failed"), ("4.0", "1", "unfinished"), ("2.0", "1", "stopped")):
        [run] = [run for run in of(runs, "4.0", alpha2) if run.data.params["seed"] == seed]
        links = page.get_by_role("link", name=f"bckd alpha1=4.0 alpha2={alpha2} (not final)", exact=True).all()
        texts = [link.locator("xpath=ancestor::tr").inner_text() for link in links]
        [text] = [text for text in texts if f"seed {seed}" in text]
        assert f"{100 * aps(client, run)[-1]:.1f}" in text
        assert status in text
    assert "1 of 2" in row(page, "bckd alpha1=4.0 alpha2=2.0")


def test_heat_map_holds_the_mean_of_each_cell(
    look: Watched, address: str, client: MlflowClient, runs: list[Run]
) -> None:
    page = look.show(address, "alpha", grid="0")

    shown = {(cells[0], cells[1]): cells[2] for cells in numbers(page, "alpha")}

    for alpha1, alpha2 in (("0.5", "2.0"), ("1.0", "2.0"), ("1.0", "4.0")):
        mean = statistics.fmean(max(aps(client, run)) for run in of(runs, alpha1, alpha2))
        assert shown[number(alpha1), number(alpha2)] == f"{100 * mean:.2f}"


def test_curves_hold_every_epoch(look: Watched, address: str, client: MlflowClient, runs: list[Run]) -> None:
    run = of(runs, "1.0", "4.0")[0]
    page = look.show(address, "curves", trials=run.info.run_id)

    shown = [cells[1] for cells in numbers(page, "curves")]

    assert shown == [f"{100 * ap:.2f}" for ap in aps(client, run)]


def test_loss_terms_hold_every_epoch(look: Watched, address: str, client: MlflowClient, runs: list[Run]) -> None:
    run = of(runs, "1.0", "4.0")[0]
    page = look.show(address, "terms", trial=run.info.run_id)

    shown = [[float(cell) for cell in cells[1:]] for cells in numbers(page, "terms-ratio")]

    wanted = zip(*(history(client, run, f"ratio/{term}") for term in ("bckd-cls", "bckd-loc")), strict=True)
    assert shown == [pytest.approx(values, rel=0.01) for values in wanted]


def test_comparison_names_the_settings_that_differ(
    look: Watched, address: str, client: MlflowClient, runs: list[Run]
) -> None:
    one, other = of(runs, "1.0", "4.0")[0], of(runs, "0.5", "2.0")[0]
    page = look.show(address, "compare", a=one.info.run_id, b=other.info.run_id)

    settings = {cells[0]: cells[1:] for cells in cells_of(page, "#settings")}
    metrics = {cells[0]: cells[1:] for cells in cells_of(page, "#metrics")}

    keys = one.data.params.keys() | other.data.params.keys()
    assert settings == {
        key: [one.data.params[key], other.data.params[key]]
        for key in keys
        if one.data.params[key] != other.data.params[key]
    }
    best = [100 * max(aps(client, run)) for run in (one, other)]
    assert metrics["AP"][:2] == [f"{value:.2f}" for value in best]
    assert metrics["AP"][2] == f"−{best[0] - best[1]:.2f}"


def test_classes_stand_beside_the_teachers(look: Watched, address: str, client: MlflowClient, runs: list[Run]) -> None:
    run = of(runs, "1.0", "4.0")[0]
    teacher = next(run for run in runs if not is_student(run))
    page = look.show(address, "classes", trial=run.info.run_id)

    shown = {cells[0]: cells[1:3] for cells in cells_of(page, "#class-table")}

    for name in ("circle", "square", "triangle"):
        values = [history(client, each, f"class_AP/{name}")[best_place(client, each)] for each in (run, teacher)]
        assert shown[name] == [f"{100 * value:.1f}" for value in values]


def test_front_holds_no_trial_that_another_beats_in_both(look: Watched, address: str) -> None:
    page = look.show(address, "cost")

    cells = numbers(page, "cost")
    cut_short = [front for name, _, _, front in cells if name.endswith(("(stopped)", "(failed)", "(unfinished)"))]
    assert cut_short == ["no"] * 3  # measured at half their length, whatever they cost
    shown = [(float(hours), float(ap), front) for name, hours, ap, front in cells if not name.endswith(")")]

    assert "yes" in {front for *_, front in shown}
    for hours, ap, front in shown:
        beaten = any(h <= hours and a >= ap and (h, a) != (hours, ap) for h, a, _ in shown)
        assert front == ("no" if beaten else "yes")


def test_overview_counts_the_trials(look: Watched, address: str, runs: list[Run]) -> None:
    page = look.show(address, "overview")

    text = page.locator("#studies tr", has=page.get_by_role("link", name="sweep", exact=True)).inner_text()

    ended = [run for run in runs if run.info.status != "RUNNING"]
    assert f"{len(ended)} of {len(runs)} trials ended" in text
    assert "1 failed" in text


def is_student(run: Run) -> bool:
    return run.data.tags["stillhouse.role"] == "student"


def of(runs: list[Run], alpha1: str, alpha2: str) -> list[Run]:
    """Return the trials at a point of the sweep."""
    wanted = {"method.alpha1": alpha1, "method.alpha2": alpha2}
    found = [run for run in runs if is_student(run) and wanted.items() <= run.data.params.items()]
    assert len(found) == 2
    return found


def history(client: MlflowClient, run: Run, key: str) -> list[float]:
    return [point.value for point in sorted(client.get_metric_history(run.info.run_id, key), key=lambda p: p.step)]


def aps(client: MlflowClient, run: Run) -> list[float]:
    return history(client, run, AP)


def best_place(client: MlflowClient, run: Run) -> int:
    values = aps(client, run)
    return values.index(max(values))


def number(text: str) -> str:
    """Return a setting as the page writes it as a number."""
    return f"{float(text):g}"


def row(page: Page, label: str) -> list[str]:
    """Return the cells of the first leaderboard row with this label."""
    link = page.get_by_role("link", name=re.compile(rf"^{re.escape(label)}$")).first
    return link.locator("xpath=ancestor::tr").locator("td").all_inner_texts()
