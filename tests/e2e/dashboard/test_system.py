"""A trial's page shows how much of its machines it used, as MLflow has it."""

from pathlib import Path

from mlflow.tracking import MlflowClient
from playwright.sync_api import Page, expect

from tests.e2e.dashboard.browser import Watched
from tests.e2e.dashboard.page_tables import cells_of, titles_of


def opened(page: Page, chart: str) -> dict[str, list[str]]:
    """Return a chart's numbers by epoch, and its heads under ``heads``."""
    expect(page.locator(f"#{chart} canvas").first).to_be_visible()
    page.locator(f"#{chart}-details > summary").click()
    rows = {cells[0]: cells[1:] for cells in cells_of(page, f"#{chart}-numbers")}
    return rows | {"heads": titles_of(page, f"#{chart}-numbers")}


def test_its_charts_hold_what_mlflow_holds(look: Watched, address: str, client: MlflowClient) -> None:
    page = look.show(address, "trial")
    run = page.locator("#choose-trial").input_value()
    use = opened(page, "system-use")
    assert use["heads"] == ["epoch", "CPU use", "GPU 0 memory", "GPU 0 use", "Waiting for images", "Memory"]
    keys = ("cpu_utilization_percentage", "gpu_0_memory_usage_percentage", "gpu_0_utilization_percentage",
            "loading_time_percentage", "system_memory_usage_percentage")  # fmt: skip
    for place, key in enumerate(keys):
        points = client.get_metric_history(run, f"system/{key}")
        assert points
        for point in points:
            assert use[str(point.step)][place] == f"{point.value:.1f}"
    images = opened(page, "system-images")
    assert images["1"] == ["51.0"] or images["1"] == ["51"]


def test_they_are_no_metrics_to_compare_trials_by(look: Watched, address: str) -> None:
    page = look.show(address, "trial")
    expect(page.locator("#system")).to_be_visible()
    snapshot = page.request.get(f"{address}api/snapshot").json()
    assert "system" not in snapshot
    assert not [key for key in snapshot["metrics"] if key.startswith("system/")]
    assert not [cells for cells in cells_of(page, "#trial-metrics") if "CPU" in cells[0] or "system" in cells[0]]


def test_a_run_without_them_has_no_such_section(look: Watched, address: str) -> None:
    trials = look.page.request.get(f"{address}api/snapshot").json()["trials"]
    bare = next(trial for trial in trials if trial["name"].startswith("long"))  # made elsewhere
    page = look.show(address, "trial", trial=bare["run"])
    with page.expect_response("**/api/system*") as answer:
        page.reload()
    assert answer.value.json()["runs"] == {}
    expect(page.locator("#system")).to_be_hidden()


def test_the_exported_file_holds_them(look: Watched, exported: Path) -> None:
    page = look.show(exported.as_uri(), "trial")
    expect(page.locator("#system-use canvas").first).to_be_visible()
