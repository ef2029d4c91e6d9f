"""A finished study goes on to twice as many epochs, with the bits of one that was trained to that length at once."""

from pathlib import Path

import pytest

from tests.chaos.comparison import store_differences
from tests.e2e.stillhouse import histories, stillhouse

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
