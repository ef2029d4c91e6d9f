"""Trials start from states of others as users have them do it: twice as many epochs, and jobs that share a store."""

from pathlib import Path

import pytest

from tests.chaos.comparison import store_differences
from tests.e2e.stillhouse import histories, started, stillhouse

STUDY = """
name: longer
dataset: {kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: none}
schedule: {epochs: 12, batch_size: 4, lr: 0.002, optimizer: {kind: adamw}, policy: {kind: step, milestones: [8, 11]}}
scaling: {cpus_per_worker: 1}
"""
LONGER = ("--set", "schedule.epochs=24")


@pytest.mark.slow
def test_twelve_epochs_go_on_to_twenty_four(tmp_path: Path) -> None:
    study, store, alone = tmp_path / "study.yaml", tmp_path / "store", tmp_path / "alone"
    study.write_text(STUDY)
    assert stillhouse("run", study, "--store", store, "--set", "scaling.keep_states=last").code == 0
    [short] = [path.name for path in (store / "trials").iterdir()]
    planned = stillhouse("plan", study, "--store", store, *LONGER)
    assert f"goes on from trial {short} after epoch 12" in planned.out + planned.err
    assert "24 of 48 steps (50 %) are trained" in planned.out
    done = stillhouse("run", study, "--store", store, *LONGER)
    assert done.code == 0, done.err
    assert "24 steps of 48 were made by another trial, for 1 of 1 student" in done.err
    assert stillhouse("run", study, "--store", alone, *LONGER).code == 0
    [longer] = [path for path in (store / "trials").iterdir() if path.name != short]
    assert histories(store)[longer.name] == histories(alone)[longer.name]
    (store / "trials" / short).rename(tmp_path / "short")
    differing = store_differences(alone, store)
    assert [line for line in differing if not line.endswith("kept is left over")] == []
    assert "24 steps of 48" in stillhouse("compare", study, "--store", store, *LONGER).err


@pytest.mark.slow
def test_jobs_that_share_a_store_start_from_each_others_states(tmp_path: Path) -> None:
    study, store, apart = tmp_path / "study.yaml", tmp_path / "store", tmp_path / "apart"
    short = STUDY.replace("epochs: 12", "epochs: 4").replace("[8, 11]", "[3]")
    search = "search: {baseline: false, space: {schedule.policy.milestones: [[3], [2], [2, 3], [1]]}}\n"
    study.write_text(short.replace("cpus_per_worker: 1", "max_concurrent: 1") + search)
    jobs = [started("run", study, "--store", store, "--share") for _ in range(2)]
    said = [job.communicate(timeout=600)[1] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], said
    assert stillhouse("run", study, "--store", apart, "--set", "search.share_prefixes=false").code == 0
    assert [line for line in store_differences(apart, store) if not line.endswith("leases is left over")] == []
    made = stillhouse("compare", study, "--store", store).err
    assert "12 steps of 32 were made by another trial, for 3 of 4 students" in made
