"""A search over the student's width trains only what keeps to a bound, and shows the costs of what it trained."""

import json
from pathlib import Path

import pytest

from tests.e2e.stillhouse import stillhouse

STUDY = """
name: costs
dataset: {kind: shapes, image_size: [64, 64], train_images: 4, val_images: 4}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, weights: random}
method: {kind: none}
schedule: {epochs: 1, batch_size: 4, lr: 0.01, policy: {kind: constant}}
search:
  space:
    student.width: [0.125, 0.25, 0.5]
"""


def known(*arguments: object) -> list[tuple[float, int]]:
    """Return width and parameters of each trial in a plan."""
    plan = stillhouse("plan", *arguments, "--json")
    assert plan.code == 0, plan.err
    return [(trial["params"]["student.width"], trial["cost"]["parameters"]) for trial in plan.json["trials"]]


@pytest.mark.slow
def test_a_bounded_search_from_plan_to_report(tmp_path: Path) -> None:
    study, store = tmp_path / "study.yaml", tmp_path / "store"
    study.write_text(STUDY)
    every = known(study, "--store", store, "--set", "search.constraints={parameters: 1.0e9}")
    assert [width for width, _ in every] == [0.125, 0.25, 0.5]
    bound = (every[1][1] + every[2][1]) // 2
    options = (study, "--store", store, "--set", f"search.constraints.parameters={bound}")
    assert known(*options) == every[:2]
    assert not (store / "costs").exists()  # a plan writes nothing into the store
    ran = stillhouse("run", *options, "--json")
    assert ran.code == 0, ran.err
    assert f"left out over their bounds, 1 of 3 trials: student.width=0.5 (parameters {every[2][1]:,} >" in ran.err
    trials = ran.json["trials"]
    assert [(trial["params"]["student.width"], trial["cost"]["parameters"]) for trial in trials] == every[:2]
    latencies = [trial["cost"]["latency"] for trial in trials]
    assert all(0 < found["min_ms"] <= found["median_ms"] and found["machine"] for found in latencies)
    records = [json.loads(path.read_text()) for path in (store / "costs").iterdir()]
    assert {record["latency"]["median_ms"] for record in records} == {found["median_ms"] for found in latencies}
    report = stillhouse("report", *options)
    assert report.code == 0, report.err
    assert "| params | MACs | latency |" in report.out
