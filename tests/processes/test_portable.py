"""Train in the environment that makes processors compute the same bits, and compare with bits of other processors."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.trainers.tiny import adamw, job, state, trial
from trainers.schema import Bckd, Teacher, Weights
from trainers.schema.portable import MACHINES, VARIABLES, unmet

ROOT = Path(__file__).parents[2]
TRAIN = """
import sys
from pathlib import Path
from trainers.loop.loop import train_alone
from trainers.schema import Job

for path in sys.argv[1:]:
    train_alone(Job.model_validate_json(Path(path).read_text()))
"""
# Digests of the teacher's last weights and of the student's. They are of torch 2.13.0 and the other packages in
# requirements.lock: new versions may compute other bits, on all processors alike.
GOLDEN = "3d2a57d286674bae", "54a25eec5e470121"
CALLED = """
import numpy as np
import torch
from trainers.compat import exact_sqrt
exact_sqrt.install()
values = torch.rand(1000) + 0.1
wanted = np.sqrt(values.numpy())
for found in (values.sqrt(), torch.sqrt(values, out=torch.empty(0)), values.clone().sqrt_(), torch._foreach_sqrt([values])[0]):
    assert (found.numpy() == wanted).all()
leaf = values.clone().requires_grad_()
leaf.sqrt().sum().backward()
assert torch.equal(leaf.grad, 0.5 / torch.from_numpy(wanted))
"""


def trained(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Train a teacher and then its student in one process with ``environment``."""
    alone = trial(width=2.0, schedule=adamw())
    teacher = Teacher(detector=alone.student, weights=Weights(path=str(folder / "teacher" / "best.pth")))
    jobs = {"teacher": alone, "student": trial(teacher=teacher, method=Bckd(kind="bckd"))}
    for name, spec in jobs.items():
        asked = job(spec, folder / name, portable=True)
        (folder / f"{name}.json").write_text(asked.model_dump_json())
    command = [sys.executable, "-W", "ignore", "-c", TRAIN, *(str(folder / f"{name}.json") for name in jobs)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env=os.environ | environment)


def digest(checkpoint: Path) -> str:
    """Return the SHA-256 of a checkpoint's tensors, by name."""
    found = hashlib.sha256()
    for name, tensor in sorted(state(checkpoint).items()):
        found.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


@pytest.mark.skipif(unmet(VARIABLES) is not None, reason=f"portable numbers are those of {MACHINES[0]}")
def test_a_training_has_the_bits_that_it_has_on_other_processors(tmp_path: Path) -> None:
    done = trained(tmp_path, VARIABLES)
    assert done.returncode == 0, done.stderr
    found = digest(tmp_path / "teacher" / "last.pth"), digest(tmp_path / "student" / "last.pth")
    assert found == GOLDEN


def test_a_process_without_the_variables_says_which_it_lacks(tmp_path: Path) -> None:
    done = trained(tmp_path, {**VARIABLES, "MKL_CBWR": "AVX2"})
    assert done.returncode != 0
    assert "scaling.portable cannot be kept: MKL_CBWR must be set before torch is imported" in done.stderr


def test_torch_takes_the_exact_roots_wherever_it_needs_some() -> None:
    done = subprocess.run([sys.executable, "-c", CALLED], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
