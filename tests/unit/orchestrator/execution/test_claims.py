"""A job looks at the trials that are left, however many are over."""

from pathlib import Path

import pytest

from orchestrator.core.store import Store
from orchestrator.execution import claims
from orchestrator.execution.together import taking_part
from orchestrator.plan.trial import TrialStatus, status_of
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import Outcome, write_outcome

TEXT = """
name: claimed
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random, width: 0.5}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search: {seeds: [0, 1, 2]}
"""


def test_a_trial_that_is_over_is_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, store = plan_text(tmp_path, TEXT), Store(tmp_path / "store")
    store.prepare()
    done, *_ = plan.students
    done.directory.mkdir(parents=True)
    write_outcome(done.directory, Outcome("finished"))
    looked: list[Path] = []

    def noting(directory: Path) -> TrialStatus:
        looked.append(directory)
        return status_of(directory)

    monkeypatch.setattr(claims, "status_of", noting)
    with taking_part(plan, store) as part:
        taken = part.claims.take(plan.students)
        before = looked.count(done.directory)
        assert before > 0
        assert part.claims.take(plan.students) not in (None, taken)
        assert part.claims.take(plan.students) is None
        part.claims.close()
    assert looked.count(done.directory) == before


def test_a_trial_that_comes_free_during_a_look_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its holder fell silent for long enough between the claim and the question who has it."""
    plan, store = plan_text(tmp_path, TEXT), Store(tmp_path / "store")
    store.prepare()
    first, *others = plan.students
    for trial in others:
        trial.directory.mkdir(parents=True)
        write_outcome(trial.directory, Outcome("finished"))
    with taking_part(plan, store) as part:
        with monkeypatch.context() as patch:
            patch.setattr(part.leases, "claim", lambda name: None)
            assert part.claims.take(plan.students) is None
        assert part.claims.waits
        monkeypatch.setattr(claims, "LOOK_EVERY_S", 0.0)
        assert part.claims.take(plan.students) == first
        part.claims.close()
