"""The page's modules, called one by one in a browser: orders, thresholds and texts by value."""

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from dashboards.live import Live
from dashboards.server import application
from dashboards.snapshot import Query
from tests.e2e.dashboard.browser import watched
from tests.e2e.dashboard.conftest import answering
from tests.unit.dashboards.example_store import example_store
from tests.unit.dashboards.fake_tracking import FakeTracking

Call = Callable[..., Any]


class NoFiles:
    """Hold no artifact."""

    def artifact(self, run: str, path: str, largest: int) -> None:
        return None


@pytest.fixture(scope="module")
def place() -> Iterator[str]:
    """The page with a store that no database is needed for."""
    tracking: FakeTracking = example_store()
    yield from answering(application(Live(tracking, Query()), NoFiles()))


@pytest.fixture(scope="module")
def page(browser: Browser, place: str) -> Iterator[Page]:
    with watched(browser) as found:
        found.show(place, "overview")
        yield found.page


@pytest.fixture
def call(page: Page) -> Call:
    """Return a function that evaluates an expression with a module ``m`` and the other arguments as ``a``."""

    def evaluate(module: str, expression: str, *arguments: Any) -> Any:
        script = f"async (a) => {{ const m = await import('/app/{module}.js'); return ({expression}); }}"
        return page.evaluate(script, list(arguments))

    return evaluate


# --------------------------------------------------------------------------------------------------------------- texts

MINUS, DASH = "\u2212", "\u2013"
NAMES = {"AP": {"title": "AP", "meaning": "precision", "percent": True}, "loss": {"title": "Loss", "falls": True}}


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        ("number", 0, "0"), ("number", 7, "7"), ("number", -3, "-3"), ("number", 999_999, "999999"), ("number", 1_000_000, "1.00e+6"),
        ("number", 0.001, "0.001"), ("number", 0.00099, "9.90e-4"), ("number", 1234.56, "1230"), ("number", 99_999.5, "100000"),
        ("number", 100_000.5, "1.00e+5"), ("number", -0.12345, "-0.123"), ("number", None, DASH),
        ("amount", 0, "0"), ("amount", 999, "999"), ("amount", 999.6, "1.00 k"), ("amount", 1000, "1.00 k"), ("amount", 9995, "10.0 k"),
        ("amount", 99_950, "100 k"), ("amount", 999_499, "999 k"), ("amount", 999_500, "1.00 M"), ("amount", 32_285_000, "32.3 M"),
        ("amount", 208e9, "208 G"), ("amount", None, DASH),
        ("milliseconds", 9.99, "9.99 ms"), ("milliseconds", 9.995, "10.0 ms"), ("milliseconds", 1412.5, "1413 ms"), ("milliseconds", None, DASH),
        ("duration", 0, "0 s"), ("duration", 59.4, "59 s"), ("duration", 59.5, "1 min 0 s"), ("duration", 60, "1 min 0 s"),
        ("duration", 3599, "59 min 59 s"), ("duration", 3600, "1 h 0 min"), ("duration", 86_399, "23 h 59 min"), ("duration", 86_400, "1 d 0 h"),
        ("duration", 180_000, "2 d 2 h"), ("duration", None, DASH),
        ("ago", 0, "just now"), ("ago", 4.9, "just now"), ("ago", 5, "5 seconds ago"), ("ago", 59, "59 seconds ago"), ("ago", 60, "1 minute ago"),
        ("ago", 3600, "1 hour ago"), ("ago", 7200, "2 hours ago"), ("ago", 86_400, "1 day ago"), ("ago", None, DASH),
        ("moment", 0, "1970-01-01 00:00"), ("moment", "2026-11-05T07:08:09Z", "2026-11-05 07:08"), ("moment", "never", DASH), ("moment", None, DASH),
        ("signed", 0.04, "±0.0"), ("signed", -0.04, "±0.0"), ("signed", 0.05, "+0.1"), ("signed", -1.25, f"{MINUS}1.3"), ("signed", None, DASH),
        ("hoursOf", True, "GPU-hours"), ("hoursOf", False, "CPU worker-hours"), ("hoursOf", None, "Device-hours"),
        ("isNumeric", "1e3", True), ("isNumeric", " ", False), ("isNumeric", "1x", False), ("isNumeric", 1, False), ("isNumeric", "Infinity", False),
        ("isNumber", 0, True), ("isNumber", "0", False), ("isNumber", None, False), ("isNumber", math.inf, False),
        ("short", "x" * 120, "x" * 120), ("short", "x" * 121, "x" * 119 + "…"), ("short", {"a": 1}, '{"a":1}'),
    ],
)  # fmt: skip
def test_numbers_and_times_are_written_as_people_read_them(call: Call, function: str, value: Any, text: Any) -> None:
    assert call("format", f"m.{function}(a[0])", value) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 boxes"), (1, "1 box"), (2, "2 boxes"), (1234, "1,234 boxes")])
def test_counts_have_their_nouns(call: Call, count: int, text: str) -> None:
    assert call("format", "m.counted(a[0], 'box', 'boxes')", count) == text
    assert call("format", "m.counted(a[0], 'trial')", count) == text.replace("boxes", "trials").replace("box", "trial")


def test_metrics_are_written_by_their_kind(call: Call) -> None:
    assert call(
        "format",
        """(m.nameMetrics(a[0]), [
            m.metricText('AP', 0.12345), m.metricText('AP', 0.12345, 2), m.metricText('loss', 0.12345), m.metricText('AP', null),
            m.metricText('AP', undefined), m.metricText('AP', 'NaN'), m.titleOf('AP'), m.titleOf('x'), m.meaningOf('AP'), m.meaningOf('x'),
            m.merit('AP', 2), m.merit('loss', 2), m.merit('x', 2), m.difference('AP', 0.0125), m.difference('loss', -0.5),
            m.shownValue('AP', 0.5), m.shownValue('loss', 0.5), m.shownValue('AP', null), m.isPrecision('loss'),
        ])""",
        NAMES,
    ) == [
        "12.3", "12.35", "0.123", DASH, DASH, "NaN", "AP", "x", "precision; AP", "x", 2, -2, 2, "+1.3", f"{MINUS}0.5000", 50, 0.5, None, False
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- tables

ROWS = [
    {"n": "a", "v": 2},
    {"n": "b", "v": None},
    {"n": "c", "v": 10},
    {"n": "d"},
    {"n": "e", "v": ""},
    {"n": "f", "v": -1},
    {"n": "g", "v": 2},
]
DRAW = """(() => {
    history.replaceState(null, '', '#view=overview');
    const columns = [{ key: 'n', title: 'Name' }, { key: 'v', title: 'Value', numeric: true }];
    const made = m.table({ id: 't', caption: 'T', columns, rows: a[0], sorted: a[1], sortable: true });
    document.body.append(made);
    const read = () => [...made.querySelectorAll('tbody tr')].map((row) => row.children[a[3] ?? 0].textContent);
    const seen = [read()];
    for (let click = 0; click < a[2]; click += 1) { made.querySelector('[data-key=v]').click(); seen.push(read()); }
    const order = [...made.querySelectorAll('th')].map((head) => head.getAttribute('aria-sort'));
    made.remove();
    return [seen, order];
})()"""


def test_rows_without_a_value_stand_last_in_both_orders_and_equal_ones_keep_theirs(call: Call) -> None:
    seen, order = call("table", DRAW, ROWS, None, 2)
    assert seen == [list("abcdefg"), list("cagfbde"), list("fagcbde")]
    assert order == [None, "ascending"]


def test_a_table_begins_in_the_order_that_it_is_given(call: Call) -> None:
    assert call("table", DRAW, ROWS, "-v", 0)[0] == [list("cagfbde")]
    assert call("table", DRAW, ROWS, "v", 1)[0] == [list("fagcbde"), list("cagfbde")]
    assert call("table", DRAW, ROWS, "unknown", 0)[0] == [list("abcdefg")]


def test_texts_are_ordered_by_the_numbers_in_them_and_missing_values_are_dashes(call: Call) -> None:
    rows = [{"n": 1, "v": "t10"}, {"n": 2, "v": "t9"}, {"n": 3, "v": None}, {"n": 4, "v": "T1"}]
    assert call("table", DRAW, rows, "v", 0, 1)[0] == [["T1", "t9", "t10", DASH]]
    assert call("table", DRAW, [{"n": 0, "v": 0}, {"n": 1, "v": ""}, {"n": 2}], None, 0, 1)[0] == [["0", DASH, DASH]]


@pytest.mark.parametrize(("count", "drawn", "button"), [(200, 200, None), (201, 200, "Show all 201 rows")])
def test_of_many_rows_the_first_are_drawn_until_all_are_asked_for(
    call: Call, count: int, drawn: int, button: Any
) -> None:
    script = """(() => {
        const made = m.table({ id: 't', caption: 'T', columns: [{ key: 'v', title: 'V' }], rows: a[0] });
        const count = () => made.querySelectorAll('tbody tr').length;
        const [first, more] = [count(), made.querySelector('.more button')];
        more?.click();
        return [first, more?.textContent ?? null, count()];
    })()"""
    assert call("table", script, [{"v": number} for number in range(count)]) == [drawn, button, count]


def test_a_table_is_saved_as_text_that_no_spreadsheet_computes(call: Call) -> None:
    columns = "[{ key: 'n', title: 'A, \"B\"' }, { key: 'v', title: 'V', text: (v) => v }]"
    rows = [{"n": "=1+1", "v": f"{MINUS}2.5"}, {"n": "-x", "v": DASH}, {"n": "a\nb", "v": "+3"}, {"n": None, "v": 4}]
    lines = ['"A, ""B""",V', "'=1+1,-2.5", "'-x,", '"a\nb",+3', ",4", ""]
    assert call("save", f"m.asCsv({columns}, a[0])", rows) == "\r\n".join(lines)


# --------------------------------------------------------------------------------------------------------------- curves


def test_smoothing_begins_at_the_first_value_and_weighs_what_came_before(call: Call) -> None:
    shown = call("line_controls", "m.smoothed(a[0], 0.5)", [[1, 4.0], [2, None], [3, 1.0], [4, 1.0]])
    # weights 1/2 and 1/4 of the values so far, divided by their sum
    assert shown == [[1, 4.0], [2, None], [3, pytest.approx(2.0)], [4, pytest.approx(10 / 7)]]


CURVES = {
    "metrics": ["AP", "time/hours"],
    "trials": [{"run": "r", "study": "s"}],
    "histories": {
        "steps": [[1, 2, 3, 5, 6], [2, 4]],
        "runs": {"r": [[0, 0, [0.1, 0.2, None, 0.4, 0.5]], [1, 1, [10.0, 30.0]]]},
    },
}


def test_along_hours_a_point_stands_between_its_neighbours_and_none_outside(call: Call, page: Page) -> None:
    script = """async () => {
        const { Snapshot } = await import('/app/snapshot.js');
        const { along, lookOf } = await import('/app/line_controls.js');
        const found = new Snapshot(DATA);
        return [along(found, 'r', 'AP', 100, lookOf({})), along(found, 'r', 'AP', 1, lookOf({ x: 'hours' })), along(found, 'x', 'AP', 1, lookOf({}))];
    }"""  # fmt: skip
    plain, hours, none = page.evaluate(script.replace("DATA", json.dumps(CURVES)))
    assert plain == [
        [1, pytest.approx(10)],
        [2, pytest.approx(20)],
        [3, None],
        [5, pytest.approx(40)],
        [6, pytest.approx(50)],
    ]
    assert hours == [[10, 0.2], [20, None]]
    assert none == []


@pytest.mark.parametrize(("smooth", "taken"), [("0.5", 0.5), ("0", 0), ("1", 0), ("-0.1", 0), ("x", 0), ("0.99", 0.99)])
def test_only_a_strength_between_nothing_and_one_smooths(call: Call, smooth: str, taken: float) -> None:
    look = call("line_controls", "m.lookOf({ smooth: a[0], log: 'yes', x: 'hours' })", smooth)
    assert (look["smooth"], look["log"], look["x"]["id"]) == (taken, True, "hours")
    assert call("line_controls", "[m.lookOf({}).log, m.lookOf({ x: 'other' }).x.id]") == [False, "epoch"]


@pytest.mark.parametrize(
    ("values", "spreads", "precise", "span"),
    [
        ([10.0, 40.0], [1.0], True, (10.0, 40.0)),
        ([10.0, 12.0], [1.0, None], True, (9.0, 13.0)),  # four spreads
        ([10.0, 11.0], [], True, (9.5, 11.5)),  # two points
        ([10.0, 10.1], [None], False, (10.05 - 0.2525, 10.05 + 0.2525)),  # a twentieth of the largest
        ([5.0, 5.0], [0.0], True, (5 - 5e-7, 5 + 5e-7)),
        ([-8.0, -8.0], [], False, (-8.2, -7.8)),
    ],
)
def test_colours_span_no_less_than_chance(call: Call, values: Any, spreads: Any, precise: bool, span: Any) -> None:
    assert call("colour_range", "m.colourRange(...a)", values, spreads, precise) == pytest.approx(span)


def test_a_spark_rises_to_the_right_and_is_nothing_of_one_value(call: Call) -> None:
    points = "m.spark(a[0])?.querySelector('polyline').getAttribute('points') ?? null"
    assert call("spark", points, [1, None, 3, 2]) == "2.0,21.0 48.0,3.0 94.0,12.0"
    assert call("spark", points, [2, 2]) == "2.0,12.0 94.0,12.0"
    assert call("spark", points, [1, None]) is None


# ---------------------------------------------------------------------------------------------------------------- gains


@pytest.mark.parametrize(
    ("interval", "open_"),
    [
        ([0.1, 0.2], False),
        ([-0.2, -0.1], False),
        ([-0.1, 0.1], True),
        ([0, 0.1], True),
        ([-0.1, 0], True),
        (None, True),
        ([0.1], True),
    ],
)
def test_an_interval_that_touches_zero_decides_nothing(call: Call, interval: Any, open_: bool) -> None:
    assert call("gain_bar", "m.isUndecided({ interval: a[0] })", interval) is open_


def test_gains_share_a_scale_that_holds_zero_and_their_intervals(call: Call) -> None:
    gains = [{"gain": 2, "interval": [1, 3]}, {"gain": 1, "interval": None}, {"gain": None}]
    assert call("gain_bar", "m.gainScale(a[0])", gains) == [0, 3]
    assert call("gain_bar", "m.gainScale(a[0])", [{"gain": -2, "interval": [-3, -1]}]) == [-3, 0]
    assert call("gain_bar", "m.gainScale(a[0])", [{"gain": None}]) is None


def test_the_bar_of_a_gain_begins_at_zero_and_is_won_lost_or_open(call: Call) -> None:
    script = """(() => {
        const bar = m.gainBar(a[0], a[1], 'x');
        const rect = bar.querySelector('rect');
        return [bar.className, ...['x', 'width'].map((name) => Number(rect.getAttribute(name))), bar.querySelector('path')?.getAttribute('d') ?? null];
    })()"""  # fmt: skip
    assert call("gain_bar", script, {"gain": 2, "interval": [1, 3]}, [-1, 3]) == [
        "gain-bar won",
        31,
        58,
        "M60 5V11M60 8H118M118 5V11",
    ]
    assert call("gain_bar", script, {"gain": -1, "interval": [-1, -0.5]}, [-1, 3])[:3] == ["gain-bar loss", 2, 29]
    assert call("gain_bar", script, {"gain": 0, "interval": None}, [-1, 3]) == ["gain-bar open", 31, 1, None]
    for gain, scale in (({"gain": None}, [0, 1]), ({"gain": 1}, None), ({"gain": 0}, [0, 0])):
        assert call("gain_bar", "m.gainBar(a[0], a[1], 'x')", gain, scale) is None


# ----------------------------------------------------------------------------------------------------------- the address


def test_lists_in_the_address_keep_names_with_commas_apart(call: Call) -> None:
    names = ["a,b", "c", "100%", "ä"]
    assert call("hash", "m.list(m.joined(a[0]))", names) == names
    assert call("hash", "[m.list(''), m.list(undefined), m.list('100%,x')]") == [[], [], ["100%", "x"]]


def test_a_setting_that_is_taken_out_leaves_the_others(call: Call, page: Page) -> None:
    before = page.evaluate("location.hash")
    assert call("hash", "(history.replaceState(null, '', '#view=cost&q=x'), [m.linkTo({ q: null }), m.linkTo({ q: '' }), m.linkTo({ a: 0 })])") == [
        "#view=cost", "#view=cost", "#view=cost&q=x&a=0"
    ]  # fmt: skip
    page.evaluate("(hash) => history.replaceState(null, '', hash)", before)


# -------------------------------------------------------------------------------------------------------------- progress


@pytest.mark.parametrize(
    ("study", "progress", "left"),
    [
        ({"counts": {"finished": 2, "stopped": 1, "failed": 1, "running": 1, "paused": 3}, "planned": 9}, [8, 4, 9], "not known before the first epoch"),
        ({"counts": {"finished": 2}, "planned": 1}, [2, 2, 2], "none, all trials have ended"),
        ({"counts": {"paused": 1}, "planned": 2}, [1, 0, 2], "nothing runs"),
        ({"counts": {}, "planned": 2, "eta_s": 60}, [0, 0, 2], "about 1 min 0 s"),
        ({}, [0, 0, 0], "none, all trials have ended"),
    ],
)  # fmt: skip
def test_progress_counts_what_has_begun_and_what_has_ended(call: Call, study: Any, progress: Any, left: str) -> None:
    assert call("progress_bar", "Object.values(m.progressOf(a[0]))", study) == progress
    assert call("progress_bar", "m.timeLeft(a[0])", study) == left


def test_the_bar_has_a_part_for_each_state_that_occurs_in_proportion(call: Call) -> None:
    study = {"counts": {"failed": 1, "finished": 2, "running": 0}, "planned": 4}
    parts = "[...m.progressBar(a[0]).children].map((part) => [part.className, part.style.width])"
    assert call("progress_bar", parts, study) == [["part finished", "50%"], ["part failed", "25%"]]


# ---------------------------------------------------------------------------------------------------------- split errors

CELLS = {
    "ious": ["iou50", "iou75"],
    "scores": [0.3, 0.5],
    "cells": [[], [[0, 0, [9, 5]], [0, 1, [2, 1]], [1, 2, [4, 3]], [2, 0, [7, 6]], [1, 1, [8]]]],
}


def test_confusions_are_those_of_the_iou_and_the_score_with_the_background_last(call: Call) -> None:
    found = call("split_errors", "m.matrixOf(a[0], ['cat', 'dog'], 'iou75', 0.5)", CELLS)
    assert found == {
        "names": ["cat", "dog", "background"],
        "counts": [[5, 1, 0], [0, 0, 3], [6, 0, 0]],
        "right": [5, 0, 0],
        "pooled": 0,
    }


def test_of_many_classes_those_with_most_mistakes_stand_by_themselves(call: Call) -> None:
    cells = [[place, place, [100]] for place in range(14)] + [[3, 13, [2]], [7, 14, [1]], [14, 5, [1]]]
    confusions = {"ious": ["mean"], "scores": [0.5], "cells": [cells]}
    found = call(
        "split_errors", "m.matrixOf(a[0], a[1], 'mean', 0.5)", confusions, [f"c{place}" for place in range(14)]
    )
    alone = found["names"][:-2]
    assert {"c3", "c13", "c7", "c5"} <= set(alone)
    assert (len(alone), found["names"][-2:], found["pooled"]) == (12, ["2 other classes", "background"], 2)
    assert alone == sorted(alone, key=lambda name: int(name[1:]))
    assert found["right"][-2:] == [200, 0]
    assert sum(map(sum, found["counts"])) == 1404


def test_precisions_need_all_recalls_and_numbers(call: Call) -> None:
    curve = [0.5] * 101
    curves = {
        "whole": {"iou50": curve, "iou75": curve[:-1]},
        "classes": [{"iou50": [1.0, *curve[1:]]}, {"iou50": [None, *curve[1:]]}],
    }
    for place, iou, first in (
        (None, "iou50", 0.5),
        (0, "iou50", 1.0),
        (1, "iou50", None),
        (None, "iou75", None),
        (2, "iou50", None),
    ):
        found = call("split_errors", "m.precisionsOf(a[0], a[1], a[2])", curves, place, iou)
        assert (found[0] if found else None) == first
    assert call("split_errors", "m.area([0, 0.5, 1, 1])") == 0.625
