"""The checkpoint that a process was reading when it died is on record; one that ends two readers is refused by name."""

import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

from orchestrator.failures.kinds import Action, FailureKind
from orchestrator.failures.retry import judge
from trainers.formats.weights import read_checkpoint
from trainers.schema import Detector, Job, NoDistillation, Placement, Schedule, ShapesDataset, TrialSpec
from trainers.schema.being_read import NOTES, noted_in, take_notes
from trainers.schema.events import read_events

HEADER = b"".join(pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
SLOW = HEADER + b"N0" * 700_000 + b"N."  # takes its reader a second
READ = "import sys; from trainers.formats.weights import *; from trainers.schema.being_read import noted_in\nwith noted_in([sys.argv[2]]): read_checkpoint(sys.argv[1])"


class RayActorError(Exception):
    """Stand for Ray's error, which is known by name."""


def job(directory: Path) -> Job:
    detector = Detector(config="mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights="random")
    trial = TrialSpec(
        dataset=ShapesDataset(kind="shapes"), student=detector, method=NoDistillation(kind="none"), schedule=Schedule()
    )
    return Job(trial_id="trial", trial=trial, directory=str(directory), placement=Placement(workers=1))


def die_while_reading(path: Path, directory: Path) -> None:
    """Kill a process while it reads a checkpoint."""
    process = subprocess.Popen([sys.executable, "-c", READ, str(path), str(directory)])
    while not list(directory.glob(NOTES)):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(30)


def test_a_file_that_ends_two_readers_is_named_and_refused(tmp_path: Path) -> None:
    path, directory = tmp_path / "teacher.pth", tmp_path / "trial"
    path.write_bytes(SLOW)
    directory.mkdir()
    die_while_reading(path, directory)
    first = judge(job(directory), RayActorError(), "run")
    assert first.again
    assert f"while it read {path}" in read_events(directory)[-1].detail
    assert not list(directory.glob(NOTES))
    die_while_reading(path, directory)
    second = judge(job(directory), RayActorError(), "run")
    assert not second.again
    assert second.kind is FailureKind.WORKER_LOST
    assert f"while it read {path}, as another did before" in second.reason
    assert read_events(directory)[-1].action == Action.STOP


def test_two_files_are_two_causes(tmp_path: Path) -> None:
    for name in ("a.pth", "b.pth"):
        (tmp_path / "reading-host-1.txt").write_text(name)
        assert judge(job(tmp_path), RayActorError(), "run").again


def test_a_file_that_is_read_leaves_no_note(tmp_path: Path) -> None:
    import torch

    torch.save({}, tmp_path / "whole.pth")
    with noted_in([tmp_path]):
        read_checkpoint(tmp_path / "whole.pth")
    assert take_notes(tmp_path, 0.0) == []


def test_a_note_of_an_earlier_attempt_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "reading-host-1.txt").write_text("old.pth")
    assert take_notes(tmp_path, time.time() + 1) == []
    assert not list(tmp_path.glob(NOTES))
