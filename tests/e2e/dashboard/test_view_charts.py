"""The charts of views hold what their snapshot says: scales, orders, choices and marks by value."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from dashboards.live import Live
from dashboards.server import application
from dashboards.snapshot import Query
from tests.e2e.dashboard.browser import watched
from tests.e2e.dashboard.conftest import answering
from tests.e2e.dashboard.test_modules import NoFiles
from tests.unit.dashboards.example_store import example_store

# Draw a view of a snapshot that is given, and read charts, tables and texts from it.
SHOW = """async ([id, data, wish, width]) => {
    const { Snapshot } = await import('/app/snapshot.js');
    const { view } = await import(`/app/views/${id}.js`);
    const { colours } = await import('/app/theme.js');
    const snapshot = new Snapshot(data);
    const trials = snapshot.trials;
    const runs = new Set(wish.runs ?? trials.map(({ run }) => run));
    const shown = trials.filter(({ run }) => runs.has(run));
    const made = view.render({ snapshot, trials: shown, ofStudy: trials, runs, metric: data.metric, wish, study: null });
    const place = document.createElement('div');
    place.append(...[made].flat(Infinity).filter(Boolean));
    const charts = {};
    for (const chart of place.querySelectorAll('.chart')) charts[chart.id] = JSON.parse(JSON.stringify(chart.made(colours(), width ?? 800)));
    const tables = {};
    for (const table of place.querySelectorAll('table'))
        tables[table.id] = [...table.querySelectorAll('tbody tr')].map((row) => [...row.children].map((cell) => cell.textContent));
    const numbers = [...place.querySelectorAll('th.number')].map((head) => head.textContent);
    const chosen = Object.fromEntries([...place.querySelectorAll('select')].map((box) => [box.id, box.value]));
    return { charts, tables, numbers, chosen, text: place.textContent };
}"""
FACTS = ("data", "evaluation", "schedule", "batch", "teacher")
Show = Callable[..., Any]
DASH, MINUS = "\u2013", "\u2212"


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    for address in answering(application(Live(example_store(), Query()), NoFiles())):
        with watched(browser) as found:
            yield found.show(address, "overview")


@pytest.fixture
def show(page: Page) -> Show:
    def draw(view: str, data: dict[str, Any], width: int = 800, **wish: Any) -> Any:
        return page.evaluate(SHOW, [view, data, wish, width])

    return draw


def trial(run: str, ap: float | None = 0.5, **facts: Any) -> dict[str, Any]:
    common = {
        "run": run,
        "id": run,
        "study": "s",
        "role": "student",
        "method": "bckd",
        "status": "finished",
        "counts": True,
    }
    return {
        **common,
        "name": run,
        "point": run,
        "student": "GFL",
        "params": {},
        "tags": {},
        "best": [ap, 3.0],
        "last": [ap, 3.0],
        **facts,
    }


def snapshot(*trials: dict[str, Any], **parts: Any) -> dict[str, Any]:
    """Return a snapshot of one study and one group; trials of method none are baselines, teachers stand apart."""
    students = [one["run"] for one in trials if one["role"] == "student" and one["method"] != "none"]
    alone = [one["run"] for one in trials if one["role"] == "student" and one["method"] == "none"]
    teachers = [one["run"] for one in trials if one["role"] == "teacher"]
    group = {
        "id": "g",
        "label": "g",
        "runs": students,
        "baselines": alone,
        "teachers": teachers,
        "facts": dict.fromkeys(FACTS, "not recorded"),
    }
    study = {"id": "s", "name": "s", "runs": [one["run"] for one in trials], "params": {}, "searched": []}
    names = {"AP": {"title": "AP", "percent": True}, "loss": {"title": "Loss", "falls": True}}
    return {
        "metric": "AP",
        "metrics": ["AP", "loss"],
        "metric_names": names,
        "trials": list(trials),
        "studies": [study],
        "groups": [group],
        **parts,
    }


# ----------------------------------------------------------------------------------------------------------------- cost


@pytest.mark.parametrize(
    ("hours", "kind", "least_tick"),
    [
        ([1.0, 50.0], "value", 1),
        ([1.0, 50.5], "log", 0),
        ([0.0, 100.0], "value", 1),
        ([0.5, 1.0], "value", 0),
        ([1.0, 51.0], "log", 1),
    ],
)
def test_costs_run_by_logarithm_beyond_a_factor_of_fifty_and_counts_by_whole_ticks(
    show: Show, hours: Any, kind: str, least_tick: int
) -> None:
    data = snapshot(*(trial(str(place), gpu_hours=found) for place, found in enumerate(hours)))
    axis = show("cost", data)["charts"]["cost"]["xAxis"]
    assert (axis["type"], axis["minInterval"]) == (kind, least_tick)


def test_the_front_is_that_of_the_group_and_the_cost_and_holds_what_is_shown(show: Show) -> None:
    trials = [
        trial("a", 0.5, gpu_hours=2.0),
        trial("b", 0.4, gpu_hours=1.0),
        trial("c", None, gpu_hours=1.0),
        trial("d", 0.3, gpu_hours=3.0),
    ]
    fronts = [
        {"group": "g", "cost": "gpu_hours", "front": ["b", "a"]},
        {"group": "g", "cost": "macs", "front": ["d"]},
        {"group": "h", "front": ["d"]},
    ]
    found = show("cost", snapshot(*trials, pareto=fronts))
    *points, front = found["charts"]["cost"]["series"]
    assert [(one["run"], one["value"]) for one in points[0]["data"]] == [("a", [2, 50]), ("b", [1, 40]), ("d", [3, 30])]
    assert front["data"] == [[1, 40], [2, 50]]
    assert "3 trials, 2 on the front" in found["text"]
    assert show("cost", snapshot(*trials, pareto=fronts), runs=["b", "d"])["charts"]["cost"]["series"][-1]["data"] == [
        [1, 40]
    ]
    assert show("cost", snapshot(*trials, pareto=fronts), y="loss")["charts"]["cost"]["series"][-1]["data"] == []


# -------------------------------------------------------------------------------------------------------------- classes


def test_classes_stand_furthest_behind_the_teacher_first_from_above(show: Show) -> None:
    student = trial("a", per_class={"near": 0.5, "far": 0.2, "above": 0.9, "alone": 0.4}, teacher_run="t")
    teacher = trial("t", role="teacher", per_class={"near": 0.6, "far": 0.7, "above": 0.8})
    none = trial("n", method="none", per_class={"near": 0.45})
    found = show("classes", snapshot(student, teacher, none))
    chart = found["charts"]["classes"]
    assert chart["yAxis"]["data"] == ["above", "alone", "near", "far"]  # a chart's axis begins below
    assert [(one["name"], one["data"]) for one in chart["series"]] == [
        ("student", [90, 40, 50, 20]), ("teacher", [80, None, 60, 70]), ("alone", [None, None, 45, None])
    ]  # fmt: skip
    assert found["tables"]["class-table"] == [
        ["far", "20.0", "70.0", f"{MINUS}50.0", DASH, DASH],
        ["near", "50.0", "60.0", f"{MINUS}10.0", "45.0", "+5.0"],
        ["above", "90.0", "80.0", "+10.0", DASH, DASH],
        ["alone", "40.0", DASH, DASH, DASH, DASH],
    ]


@pytest.mark.parametrize(
    ("count", "drawn", "note"),
    [(40, 40, "Furthest behind the teacher first"), (41, 40, "The 40 classes furthest behind the teacher")],
)
def test_of_many_classes_the_furthest_behind_are_drawn(show: Show, count: int, drawn: int, note: str) -> None:
    student = trial("a", per_class={f"c{place}": place / 100 for place in range(count)}, teacher_run="t")
    teacher = trial("t", role="teacher", per_class={f"c{place}": 0.9 for place in range(count)})
    found = show("classes", snapshot(student, teacher))
    names = found["charts"]["classes"]["yAxis"]["data"]
    assert (len(names), names[-1]) == (drawn, "c0")
    assert note in found["text"]


# ---------------------------------------------------------------------------------------------------------------- alpha


def grid(method: str, *runs: str) -> dict[str, Any]:
    cells = {"mean": [[0.25, None]], "spread": [[0.01, None]], "n": [[2, 0]], "others": [[0, 1]]}
    return {
        "group": "g",
        "method": method,
        "student": "GFL",
        "x": "alpha1",
        "y": "alpha2",
        "xs": [0.5, 2.0],
        "ys": [4.0],
        "paper": [1.0, 4.0],
        "runs": [[list(runs[:1]), list(runs[1:])]],
        **cells,
    }


def test_a_grid_is_shown_when_any_of_its_trials_is(show: Show) -> None:
    data = snapshot(trial("a"), trial("b"), trial("c"), alpha=[grid("bckd", "a", "b"), grid("ld", "c")])
    found = show("alpha", data, runs=["a"])
    assert "choose-grid" not in found["chosen"]
    chart = found["charts"]["alpha"]
    assert (chart["xAxis"]["data"], chart["yAxis"]["data"]) == (["0.5", "1", "2"], ["4"])
    assert [one["value"] for one in chart["series"][0]["data"]] == [[0, 0, 25]]
    assert chart["series"][1]["data"] == [[1, 0]]
    assert show("alpha", data)["chosen"] == {"choose-grid": "0"}
    assert show("alpha", data, grid="1")["chosen"] == {"choose-grid": "1"}
    assert show("alpha", data, grid="7")["chosen"] == {"choose-grid": "0"}
    assert "No trial varies the weights" in show("alpha", data | {"alpha": []})["text"]


# -------------------------------------------------------------------------------------------------------------- compare


def test_two_trials_are_compared_by_settings_and_metrics_with_the_difference_of_the_second_to_the_first(
    show: Show,
) -> None:
    one = trial("a", 0.5, params={"lr": "0.1", "same": "1", "only": "x"})
    other = trial("b", 0.25, params={"lr": "0.2", "same": "1"})
    found = show("compare", snapshot(one, other), a="a", b="b")
    assert {row[0] for row in found["tables"]["settings"]} >= {"lr"}
    assert "same" not in {row[0] for row in found["tables"]["settings"]}
    rows = {row[0]: row[1:] for row in found["tables"]["metrics"]}
    assert rows["AP"][:2] == ["50.00", "25.00"]
    assert rows["AP"][2] == f"{MINUS}25.00"
    assert "Difference" in found["numbers"]


# ------------------------------------------------------------------------------------------------------------- parallel


def test_axes_are_logarithmic_from_a_factor_of_eight_and_texts_are_categories(show: Show) -> None:
    values = [("1", "0.1", "b", "1"), ("8", "0.79", "a", "0"), ("2", "0.2", "b", "9")]
    trials = [
        trial(str(place), 0.1 * place, params={"wide": wide, "narrow": narrow, "text": text, "zero": zero})
        for place, (wide, narrow, text, zero) in enumerate(values)
    ]
    axes = {axis["name"]: axis for axis in show("parallel", snapshot(*trials))["charts"]["parallel"]["parallelAxis"]}
    assert {name: axis["type"] for name, axis in axes.items()} == {
        "wide": "log", "narrow": "value", "text": "category", "zero": "value", "AP": "value"
    }  # fmt: skip
    assert axes["text"]["data"] == ["a", "b"]
    assert axes["wide"]["axisLabel"]["customValues"] == [1, 2, 8]


def test_lines_run_through_settings_to_the_result_and_searched_settings_stand_first(show: Show) -> None:
    trials = [
        trial("a", 0.1, params={"x": "1", "y": "2"}),
        trial("b", 0.3, params={"x": "3", "y": "5"}),
        trial("c", None, params={"x": "9", "y": "9"}),
    ]
    data = snapshot(*trials)
    data["studies"][0]["searched"] = ["y"]
    chart = show("parallel", data)["charts"]["parallel"]
    assert [axis["name"] for axis in chart["parallelAxis"]] == ["y", "x", "AP"]
    assert chart["series"]["data"] == [[2, 1, 10], [5, 3, 30]]
    assert (chart["visualMap"]["min"], chart["visualMap"]["max"]) == (10, 30)


# ---------------------------------------------------------------------------------------------------------------- rungs


def test_rank_correlations_end_at_one_and_begin_below_zero_only_where_some_are(show: Show) -> None:
    rungs = [
        {"group": "g", "epochs": [1, 2, 3], "rho": [None, -0.5, 1.0], "n": [3, 4, 4]},
        {"group": "h", "epochs": [1], "rho": [0.5], "n": [3]},
    ]
    chart = show("rungs", snapshot(trial("a"), rungs=rungs))["charts"]["rungs"]
    assert [(one["name"], one["data"]) for one in chart["series"]] == [("g (n=4)", [[1, None], [2, -0.5], [3, 1]])]
    assert chart["yAxis"]["max"] == 1
    assert "No order to compare yet" in show("rungs", snapshot(trial("a"), rungs=rungs[1:]))["text"]
