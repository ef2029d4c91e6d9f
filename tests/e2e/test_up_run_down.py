"""Ray's own launcher brings up a cluster that scales from zero; a study runs on it, and nothing is left running."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ray._raylet import GcsClient  # type: ignore[attr-defined]

from orchestrator.api import Study
from orchestrator.clusters.session import ON_THE_HEAD
from orchestrator.core.store import Store
from tests.e2e.launched import ROOT, from_zero, machines, require_done  # noqa: F401  a fixture
from tests.e2e.process_provider import address_of, started_in, switch_off
from tests.e2e.stillhouse import histories, stillhouse
from trainers.schema.events import read_events
from trainers.schema.record import read_history

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
def test_machines_that_are_taken_with_and_without_notice_are_replaced_and_cost_no_bit(
    machines: Path,  # noqa: F811
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    text = SMALL.replace("epochs: 2", "epochs: 400")
    (tmp_path / "undisturbed.yaml").write_text(text)
    undisturbed = tmp_path / "undisturbed"
    assert stillhouse("run", tmp_path / "undisturbed.yaml", "--store", undisturbed).code == 0
    thief = threading.Thread(target=take_two_away, args=(machines,), daemon=True)
    thief.start()
    store = Store(tmp_path / "here")
    said = up_run_down(machines, text, store, capfd)
    thief.join()
    first, second = sorted((e for path in trained(machines) for e in read_events(path)), key=lambda event: event.time)
    assert (first.kind, second.kind) == ("preempted", "worker lost"), (first, second, said[-3000:])
    came = {path.name for path in (machines / "provider").iterdir()}
    assert came == {"m0", "m1", "m2", "m3", "m4"}  # the head, two machines, and one in place of each that was taken
    assert histories(store.root) == histories(undisturbed)


def take_two_away(folder: Path) -> None:
    """Take two machines that train: one after its notice, once its trial has left it, and one without a notice."""
    until_all(folder, lambda trial: len(read_history(trial)) > 2)
    first, second = folder / "provider" / "m1", folder / "provider" / "m2"
    give_notice(first)
    while not any(map(read_events, trained(folder))):
        time.sleep(0.1)
    take(first)
    before = {trial.name: len(read_history(trial)) for trial in trained(folder)}
    until_all(folder, lambda trial: len(read_history(trial)) > before[trial.name] + 2)
    take(second)


def trained(folder: Path) -> list[Path]:
    """Return the directories of trials."""
    return sorted(folder.glob("shared/runs/trials/*"))


def until_all(folder: Path, is_so: Callable[[Path], bool]) -> None:
    """Wait until something is so for both trials."""
    while len(trained(folder)) < 2 or not all(is_so(trial) for trial in trained(folder)):
        time.sleep(0.1)


def give_notice(machine: Path) -> None:
    """Tell Ray that a machine will go, as the agent of a provider does."""
    words = {word for pid in started_in(machine) for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0")}
    [address] = {word.removeprefix("--gcs-address=") for word in words if word.startswith("--gcs-address=")}
    nodes = GcsClient(address=address).get_all_node_info().items()
    [node] = [key.hex() for key, node in nodes if node.node_manager_address == address_of(machine.name)]
    arguments = ("--address", address, "--node-id", node, "--reason", "DRAIN_NODE_REASON_PREEMPTION")
    why = ("--reason-message", "taken away", "--deadline-remaining-seconds", "600")  # only the notice moves the trial
    ray = (sys.executable, "-m", "ray.scripts.scripts", "drain-node")
    subprocess.run([*ray, *arguments, *why], check=True)


def take(machine: Path) -> None:
    """Switch a machine off for good."""
    switch_off(machine)
    (machine / "tags.json").unlink()
