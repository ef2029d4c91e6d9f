"""A trial whose program the workers cannot import fails at the first attempt, with the name of the module."""

from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.execution.sweep import Sweep
from orchestrator.execution.tune import run_trials
from orchestrator.plan.plan import make_plan
from orchestrator.study.load import load_study
from tests.ray.test_hidden_packages import STUDY
from trainers.schema.events import read_events
from trainers.schema.record import read_outcome

AWAY = """
from tests.ray.scripted import ScriptedRunner

class AwayRunner(ScriptedRunner):
    pass
"""


@pytest.mark.usefixtures("local_ray")
def test_workers_that_lack_a_module_are_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "away.py").write_text(AWAY)
    monkeypatch.syspath_prepend(tmp_path / "modules")  # of the driver; workers look elsewhere
    from away import AwayRunner  # type: ignore[import-not-found]

    (tmp_path / "study.yaml").write_text(STUDY)
    plan = make_plan(load_study(tmp_path / "study.yaml"), Store(tmp_path / "store"))
    run_trials(Sweep(plan), plan.students, [], tmp_path / "tune", AwayRunner)
    for trial in plan.students:
        outcome, events = read_outcome(trial.directory), read_events(trial.directory)
        assert outcome is not None
        assert outcome.status == "failed"
        assert outcome.reason.startswith(
            "a worker cannot import the program: ModuleNotFoundError: No module named 'away'"
        )
        assert [event.kind for event in events] == ["program error"]
