"""Ray's own launcher brings up a cluster that scales from zero; a study runs on it, and nothing is left running."""

import json
import threading
import time
from pathlib import Path

import pytest

from orchestrator.api import Study
from orchestrator.clusters.session import ON_THE_HEAD
from orchestrator.core.store import Store
from tests.e2e.launched import ROOT, from_zero, machines, require_done  # noqa: F401  a fixture
from tests.e2e.process_provider import started_in, switch_off
from tests.e2e.stillhouse import histories, stillhouse

SMALL = """
name: small
dataset: {kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: none}
schedule: {epochs: 2, batch_size: 4, policy: {kind: constant}}
search: {seeds: [0, 1], cohort: 1}
"""


def up_run_down(folder: Path, text: str, store: Store, capfd: pytest.CaptureFixture[str]) -> str:
    """Run a study on a cluster that scales from zero and is ended; return what was said."""
    path = store.root.parent / "small.yaml"
    path.write_text(text)
    described = from_zero(folder)
    store.prepare()
    job_request = Study.load(path).job_request(
        described.store, variables=described.environment | {"PYTHONPATH": str(ROOT)}, resources=ON_THE_HEAD
    )
    return require_done(described, job_request, store, folder, capfd)


def test_machines_come_because_trials_wait_and_all_of_them_go(machines, tmp_path, capfd):  # noqa: F811
    store = Store(tmp_path / "here")
    said = up_run_down(machines, SMALL, store, capfd)
    assert "2 at once when the cluster has grown, 0 now" in said
    assert "waiting for a machine with 1 CPU" in said
    workers = [path.name for path in (machines / "provider").iterdir() if path.name != "m0"]
    assert sorted(workers) == ["m1", "m2"]
    plan = stillhouse("plan", tmp_path / "small.yaml", "--store", store.root, "--json").json
    assert {trial["status"] for trial in plan["trials"]} == {"finished"}
    for trial in plan["trials"]:
        assert json.loads((store.trial_dir(trial["id"]) / "outcome.json").read_text())["status"] == "finished"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_machine_that_is_taken_away_is_replaced_and_costs_no_bit(machines, tmp_path, capfd):  # noqa: F811
    text = SMALL.replace("epochs: 2", "epochs: 150")
    (tmp_path / "undisturbed.yaml").write_text(text)
    undisturbed = tmp_path / "undisturbed"
    assert stillhouse("run", tmp_path / "undisturbed.yaml", "--store", undisturbed).code == 0
    thief = threading.Thread(target=take_one_away, args=(machines,), daemon=True)
    thief.start()
    store = Store(tmp_path / "here")
    said = up_run_down(machines, text, store, capfd)
    thief.join()
    assert "worker lost" in said or "preempted" in said
    assert len(list((machines / "provider").iterdir())) >= 4  # the head, two machines, and one in place of the lost one
    assert histories(store.root) == histories(undisturbed)


def take_one_away(folder: Path) -> None:
    """Switch off a machine that trains, once a trial has committed its third epoch."""
    while not any(len(path.read_text().splitlines()) > 2 for path in folder.glob("shared/runs/trials/*/history.jsonl")):
        time.sleep(0.1)
    machine = next(path for path in folder.glob("provider/m[12]") if started_in(path))
    switch_off(machine)
    (machine / "tags.json").unlink()
