"""A row of the paper runs on a cluster that Ray's launcher brings up, and its trials come here."""

import json

import pytest

from orchestrator.core.store import Store
from orchestrator.reproduce.on_cluster import job_request_of
from orchestrator.reproduce.options import Options
from orchestrator.reproduce.plan import make_run_plan
from tests.e2e.launched import ROOT, from_zero, machines, require_done  # noqa: F401  a fixture
from tests.e2e.stillhouse import stillhouse

ROW = "gfl_r18"


@pytest.mark.slow
def test_a_row_runs_on_a_cluster_that_comes_and_goes(machines, tmp_path, monkeypatch, capfd):  # noqa: F811
    store, options = Store(tmp_path / "here"), Options(fidelity="smoke")
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "no-weights"))
    store.prepare()
    variables = {"PYTHONPATH": str(ROOT), "STILLHOUSE_CACHE": str(tmp_path / "no-weights")}
    described = from_zero(machines).model_copy(update={"variables": variables})
    job_request = job_request_of(make_run_plan([ROW], options, store), [ROW], described)
    said = require_done(described, job_request, store, machines, capfd)
    assert "FIDELITY smoke" in said  # the verdict stands in the log
    [outcome] = store.root.glob("trials/*/outcome.json")
    assert json.loads(outcome.read_text())["status"] == "finished"
    command = ("reproduce", ROW, "--fidelity", "smoke", "--store", store.root, "--json")
    here = stillhouse(*command, STILLHOUSE_CACHE=str(tmp_path / "no-weights"))
    assert (here.code, "started" in here.err) == (0, False)  # the same data makes the same trial: it is finished
    assert [row["seeds"] for row in here.json["rows"]] == [1]
