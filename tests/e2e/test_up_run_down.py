"""Ray's own launcher brings up a cluster that scales from zero; a study runs on it, and nothing is left running."""

import json

from orchestrator.api import Study
from orchestrator.clusters.session import ON_THE_HEAD
from orchestrator.core.store import Store
from tests.e2e.launched import ROOT, from_zero, machines, require_done  # noqa: F401  a fixture
from tests.e2e.stillhouse import stillhouse

SMALL = """
name: small
dataset: {kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: none}
schedule: {epochs: 2, batch_size: 4, policy: {kind: constant}}
search: {seeds: [0, 1], cohort: 1}
"""


def test_machines_come_because_trials_wait_and_all_of_them_go(machines, tmp_path, capfd):  # noqa: F811
    (tmp_path / "small.yaml").write_text(SMALL)
    described, store = from_zero(machines), Store(tmp_path / "here")
    store.prepare()
    job_request = Study.load(tmp_path / "small.yaml").job_request(
        described.store, variables=described.environment | {"PYTHONPATH": str(ROOT)}, resources=ON_THE_HEAD
    )
    said = require_done(described, job_request, store, machines, capfd)
    assert "2 at once when the cluster has grown, 0 now" in said
    assert "waiting for a machine with 1 CPU" in said
    workers = [path.name for path in (machines / "provider").iterdir() if path.name != "m0"]
    assert sorted(workers) == ["m1", "m2"]
    plan = stillhouse("plan", tmp_path / "small.yaml", "--store", store.root, "--json").json
    assert {trial["status"] for trial in plan["trials"]} == {"finished"}
    for trial in plan["trials"]:
        assert json.loads((store.trial_dir(trial["id"]) / "outcome.json").read_text())["status"] == "finished"
