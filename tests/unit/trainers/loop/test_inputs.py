"""A file that is edited between plan and training does not get into a trial of the old id."""

from pathlib import Path

import pytest

from tests.unit.trainers.tiny import job, trial
from trainers.errors import TrialError
from trainers.loop.inputs import require_unchanged
from trainers.loop.loop import train
from trainers.schema.digest import file_digest


def test_an_edited_file_fails_the_trial_before_its_first_step(tmp_path: Path) -> None:
    config = tmp_path / "own.py"
    config.write_text("a = 1")
    planned = job(trial(), tmp_path / "trial").model_copy(update={"inputs": {str(config): file_digest(config)}})
    config.write_text("a = 2")
    with pytest.raises(TrialError, match=r"own\.py has changed since the study was planned: run again"):
        next(train([planned]))


def test_files_as_they_were_and_files_that_are_elsewhere_stop_nothing(tmp_path: Path) -> None:
    config = tmp_path / "own.py"
    config.write_text("a = 1")
    inputs = {str(config): file_digest(config), str(tmp_path / "gone.py"): "0" * 64}
    planned = job(trial(), tmp_path / "trial").model_copy(update={"inputs": inputs})
    require_unchanged(planned)
