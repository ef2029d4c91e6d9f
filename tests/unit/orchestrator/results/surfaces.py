"""Read the rows of a study off every surface that shows them, and hold them against what they have to be."""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytest

from dashboards.schema import Snapshot
from orchestrator.plan.plan import Plan
from orchestrator.reports.csv_table import csv_table
from orchestrator.reports.document import report_of
from orchestrator.reports.html_page import html_page
from orchestrator.reports.latex import latex
from orchestrator.reports.markdown import markdown
from orchestrator.reports.table import print_results
from orchestrator.results.result import TrialResult
from orchestrator.results.result_table import ResultTable
from orchestrator.results.summary import summarise
from orchestrator.tracking.recorded import Recorded
from tests.unit.orchestrator.results.random_study import AP, TITLES, VOC50, Expected

NOTHING_KNOWN = Recorded((), (), (), {})
WORDS = ("trial", "seeds", "status")  # columns that begin where their titles do; numbers end where theirs do


def hold_json(content: Mapping[str, Any], expected: Sequence[Expected], best: str | None) -> None:
    """Hold what ``compare --json`` prints, or MLflow keeps with the study's run, against what it has to be."""
    assert content["best"] == best
    found = {frozenset(row["trials"]): row for row in content["rows"]}
    assert found.keys() == {row.trials for row in expected}
    for row in expected:
        shown = found[row.trials]
        assert shown["name"] == row.name
        assert frozenset(shown["counted"]) == row.counted
        assert shown["mean"] == pytest.approx(row.mean)
        assert shown["spread"] == pytest.approx(row.spread, abs=1e-12)
        assert shown["vs_none"] == (None if row.gain is None else pytest.approx(row.gain, abs=1e-12))
        assert shown["rank"] == row.rank
        assert (frozenset(shown["none"]) if shown["none"] else None) == row.baseline


def hold_frames(results: ResultTable, expected: Sequence[Expected]) -> None:
    """Hold the frames of pandas against the rows, and the frame of trials against the trials."""
    trials = results.frame().set_index("trial")
    assert sorted(trials.index) == sorted(trial for row in expected for trial in row.trials)
    assert {trial for trial, counts in trials["counts"].items() if counts} == {
        trial for row in expected for trial in row.counted
    }
    lines = {frozenset(line["trials"]): line for line in results.row_frame().to_dict("records")}
    assert lines.keys() == {row.trials for row in expected}
    for row in expected:
        line = lines[row.trials]
        assert (line["name"], _given(line["rank"]), line["n"]) == (row.name, row.rank, len(row.counted))
        assert _given(line["vs_none"]) == (None if row.gain is None else pytest.approx(row.gain, abs=1e-12))
        for kind, values in (("mean", row.mean), ("spread", row.spread)):
            shown = {key.removeprefix(f"{kind}/"): line[key] for key in line if key.startswith(f"{kind}/")}
            assert {k: v for k, v in shown.items() if _given(v) is not None} == pytest.approx(values, abs=1e-12)


def _given(value: Any) -> Any:
    """Return a cell of a frame, ``None`` where it is empty."""
    return None if value is None or value != value else value


def hold_terminal(results: Sequence[TrialResult], expected: Sequence[Expected]) -> None:
    """Hold the lines of the terminal's table against the rows, and the marked ones against the trials that do not count."""
    stream = io.StringIO()
    print_results(summarise(results), stream)
    header, *lines = stream.getvalue().splitlines()
    titles = [
        title for title in ("AP", "AP50", *_voc(expected), "vs none", "rank") if _place(header, title) is not None
    ]
    cells = [{title: _cell(line, header, title) for title in (*WORDS, *titles)} for line in lines]
    assert ("rank" in titles) == any(row.rank for row in expected)
    plain = [cell for cell in cells if not cell["trial"].endswith(")")]
    marked = [cell for cell in cells if cell["trial"].endswith(")")]
    assert sorted(_marked(marked)) == sorted(_others(expected))
    assert all(re.fullmatch(r"seed \d+", cell["seeds"]) for cell in marked)
    for row in expected:
        if len(row.trials) == 1 and row.others:
            continue  # stands in its marked line
        [cell] = [cell for cell in plain if cell["trial"] == row.name]
        assert cell["AP"] == _amount(row, AP)
        assert cell["vs none"] == ("" if row.gain is None else f"{100 * row.gain:+.1f}")
        assert cell.get("rank", "") == str(row.rank or "")
        counted = "" if len(row.counted) == len(row.trials) else f"{len(row.counted)} of "
        assert cell["seeds"] == f"{counted}{len(row.trials)} seed{'s' if len(row.trials) > 1 else ''}"


def hold_report(plan: Plan, results: Sequence[TrialResult], expected: Sequence[Expected]) -> None:
    """Hold a report against the rows: the CSV's numbers in full, and the cells that every format prints."""
    report = report_of(plan, results, NOTHING_KNOWN, "stillhouse run study.yaml")
    lines = list(csv.DictReader(io.StringIO(csv_table(report))))
    texts = {"md": markdown(report), "tex": latex(report), "html": html_page(report)}
    for row in expected:
        if len(row.trials) == 1 and row.others:
            continue
        [line] = [line for line in lines if line["row"] == row.name]
        assert (int(line["seeds"]), int(line["evaluated"])) == (len(row.trials), len(row.counted))
        for key, title in TITLES.items():
            assert _number(line.get(title, "")) == _percent(row.mean.get(key))
            assert _number(line.get(f"{title} spread", "")) == _percent(row.spread.get(key))
        assert _number(line["vs none"]) == _percent(row.gain)
        assert line["rank"] == str(row.rank or "")
        for kind, text in texts.items():
            amount = _amount(row, AP)
            assert (amount.replace("±", r"$\pm$") if kind == "tex" else amount) in text or amount == "-"
    assert sorted(_marked_rows(lines)) == sorted(_others(expected))


def hold_page(found: Snapshot, expected: Sequence[Expected], new: Iterable[str], best: str | None) -> None:
    """Hold a snapshot against the rows; trials that nobody has begun are not in MLflow."""
    absent = frozenset(new)
    trial_of = {trial["run"]: trial["id"] for trial in found["trials"]}
    rows = {frozenset(trial_of[run] for run in row["runs"]): row for row in found["rows"]}
    wanted = {row.trials - absent: row for row in expected if row.trials - absent}
    present = {trials for trials, row in wanted.items() if row.name != "teacher" or _has_students(found)}
    assert rows.keys() == present
    column = {key: found["metrics"].index(key) for key in TITLES if key in found["metrics"]}
    for trials in present:
        row, shown = wanted[trials], rows[trials]
        assert frozenset(trial_of[run] for run in shown["counted"]) == row.counted
        for key, place in column.items():
            assert shown["mean"][place] == _close(row.mean.get(key))
            assert shown["spread"][place] == _close(row.spread.get(key))
        assert shown["to_none"] == _close(row.gain)
        assert shown["rank"] == row.rank
        assert shown["label"].startswith("teacher") if row.name == "teacher" else shown["label"] == row.name
        others = {trial_of[other["run"]]: other["values"][column[AP]] for other in shown["others"] if AP in column}
        values = {trial: math.nan if value == "NaN" else value for trial, value in others.items() if value is not None}
        assert values == pytest.approx(row.others, nan_ok=True)
    if found["studies"]:
        [study] = found["studies"]
        assert (trial_of[study["best"]] if study["best"] else None) == best
    assert {key: found["metric_names"][key]["title"] for key in column} == {key: TITLES[key] for key in column}


def _has_students(found: Snapshot) -> bool:
    return any(trial["role"] == "student" and trial["method"] != "none" for trial in found["trials"])


def _voc(expected: Sequence[Expected]) -> list[str]:
    return [TITLES[VOC50]] if any(VOC50 in row.mean for row in expected) else []


def _place(header: str, title: str) -> int | None:
    """Return where a column of numbers ends."""
    padded = f" {header} "
    place = padded.find(f" {title} ")
    return None if place < 0 else place + len(title)


def _cell(line: str, header: str, title: str) -> str:
    if title in WORDS:
        begins = [header.index(word) for word in WORDS]
        place = WORDS.index(title)
        end = begins[place + 1] if place + 1 < len(WORDS) else begins[place] + 2
        return line[begins[place] : end].strip()
    end = _place(header, title) or 0
    return line[:end].rsplit("  ", 1)[-1].strip() if line[:end].strip() and len(line) >= end else ""


def _amount(row: Expected, key: str) -> str:
    if key not in row.mean:
        return "-"
    return f"{100 * row.mean[key]:.1f}" + (f" ± {100 * row.spread[key]:.1f}" if key in row.spread else "")


def _marked(cells: Iterable[Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    return ((cell["trial"].rpartition(" (")[0], cell["AP"]) for cell in cells if cell["AP"] != "-")


def _marked_rows(lines: Iterable[Mapping[str, str]]) -> Iterable[tuple[str, str]]:
    return (
        (line["row"].rpartition(" (")[0], f"{float(line['AP']):.1f}")
        for line in lines
        if line["row"].endswith(")") and line["AP"]
    )


def _others(expected: Iterable[Expected]) -> Iterable[tuple[str, str]]:
    return ((row.name, f"{100 * value:.1f}") for row in expected for value in row.others.values())


def _number(text: str) -> object:
    return pytest.approx(float(text), rel=1e-5, abs=1e-9) if text else None


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _close(value: float | None) -> object:
    return None if value is None else pytest.approx(value, abs=1e-9)
