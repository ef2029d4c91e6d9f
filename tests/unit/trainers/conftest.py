"""Train the few detectors that many tests look at, once a session."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.unit.trainers.tiny import TrainOnce, job, trial
from trainers.schema import Bckd, Teacher, TrialSpec, Weights


@pytest.fixture(autouse=True)
def ordinary_arithmetic() -> Iterator[None]:
    """Take back what training sets for the whole process: other tests compute with denormal numbers."""
    yield
    torch.set_flush_denormal(False)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def train_once(tmp_path_factory: pytest.TempPathFactory) -> TrainOnce:
    """Return a function that gives the directory of a trial's undisturbed run, made at the first call."""
    from trainers.loop.loop import train_alone  # seconds, which the light tests in this folder do without

    gc.freeze()  # each dataset collects garbage, a third of a second for what was imported and is never any
    directories: dict[str, Path] = {}

    def directory_of(wanted: TrialSpec) -> Path:
        key = wanted.model_dump_json()
        if key not in directories:
            directories[key] = tmp_path_factory.mktemp("trial")
            train_alone(job(wanted, directories[key]))
        return directories[key]

    return directory_of


@pytest.fixture(scope="session")
def teacher(train_once: TrainOnce) -> Teacher:
    """Return a trained teacher, twice as wide as the students."""
    alone = trial(width=2.0)
    return Teacher(detector=alone.student, weights=Weights(path=str(train_once(alone) / "best.pth")))


@pytest.fixture(scope="session")
def distilled(teacher: Teacher) -> TrialSpec:
    """Return a trial that distils the teacher with BCKD's defaults."""
    return trial(teacher=teacher, method=Bckd(kind="bckd"))
