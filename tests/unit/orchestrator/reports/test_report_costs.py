"""Reports show what teacher and students cost, beside the results, where that differs."""

import csv
import io
from dataclasses import replace
from pathlib import Path

from orchestrator.reports.cells import cells, titles
from orchestrator.reports.csv_table import csv_table
from orchestrator.reports.document import Report, report_of
from orchestrator.results.detector_costs import amount, cost_text
from orchestrator.results.frame import row_frame, trial_frame
from orchestrator.results.summary import summary_json
from tests.unit.orchestrator.reports.example import COMMAND, plan_of, recorded, results_of
from trainers.schema.costs import DetectorCost, Latency

LATENCY = Latency(
    median_ms=41.52, min_ms=40.0, spread_ms=1.5, repeats=9, threads=1, machine="Intel(R) Xeon(R) Processor"
)
TEACHER = DetectorCost(parameters=50_740_000, macs=310_000_000_000, input_size=(1344, 800), classes=3)
STUDENT = DetectorCost(parameters=981_500, macs=4_123_000_000, input_size=(1344, 800), classes=3, latency=LATENCY)


def costly(folder: Path, teacher: DetectorCost | None = TEACHER, student: DetectorCost | None = STUDENT) -> Report:
    plan = plan_of(folder)
    results = [replace(one, cost=teacher if one.role == "teacher" else student) for one in results_of(plan)]
    return report_of(plan, results, recorded(plan), COMMAND)


def test_costs_stand_last_with_a_note_on_how_they_were_measured(tmp_path: Path) -> None:
    report = costly(tmp_path)
    assert titles(report)[-3:] == ["params", "MACs", "latency"]
    assert [cells(report, row)[-3:] for row in report.rows[:2]] == [
        ["50.7 M", "310 G", "-"], ["982 k", "4.12 G", "41.5 ms"],
    ]  # fmt: skip
    [note] = [note for note in report.notes if note.startswith("params")]
    assert "1344 x 800" in note
    assert "Intel(R) Xeon(R) Processor, 1 thread" in note


def test_costs_that_are_the_same_or_not_known_take_no_columns(tmp_path: Path) -> None:
    for report in (costly(tmp_path, STUDENT, STUDENT), costly(tmp_path, None, None), costly(tmp_path, None)):
        assert "params" not in titles(report)
        assert not any(note.startswith("params") for note in report.notes)


def test_a_csv_has_every_digit_and_gaps_where_nothing_was_measured(tmp_path: Path) -> None:
    lines = list(csv.DictReader(io.StringIO(csv_table(costly(tmp_path)))))
    keys = ("parameters", "macs", "latency_ms")
    assert [lines[0][key] for key in keys] == ["50740000.0", "310000000000.0", ""]
    assert [lines[1][key] for key in keys] == ["981500.0", "4123000000.0", "41.52"]
    assert {
        line[key] for line in csv.DictReader(io.StringIO(csv_table(costly(tmp_path, None, None)))) for key in keys
    } == {""}


def test_json_carries_the_whole_measurement(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    results = [replace(one, cost=STUDENT) for one in results_of(plan)]
    assert summary_json(results)["rows"][0]["cost"] == results[0].to_json()["cost"] == STUDENT.model_dump(mode="json")
    assert results_of(plan)[0].to_json()["cost"] is None


def test_frames_of_trials_and_rows_show_the_same_costs(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    results = [replace(one, cost=TEACHER if one.role == "teacher" else STUDENT) for one in results_of(plan)]
    trials = trial_frame(results).set_index("trial")
    for row in row_frame(results).to_dict("records"):
        for cost in ("cost/parameters", "cost/macs"):
            assert {row[cost]} == set(trials.loc[row["trials"], cost])
    assert set(row_frame(results)["cost/latency_ms"].dropna()) == {41.52}
    assert "cost/parameters" not in row_frame(results_of(plan))


def test_amounts_keep_three_digits() -> None:
    shown = {
        999: "999",
        1000: "1.00 k",
        12_345: "12.3 k",
        999_600: "1.00 M",
        37_968_692: "38.0 M",
        123_456_789: "123 M",
        2.085e11: "208 G",
    }
    assert {value: amount(value) for value in shown} == shown
    assert cost_text(None, "macs") == "-"
