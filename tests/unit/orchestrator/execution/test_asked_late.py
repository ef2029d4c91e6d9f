"""A job that shares its store looks at what was asked for about its trials before it ends."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.store import Store
from orchestrator.execution import run, study_run
from orchestrator.execution.study_run import RunSettings, run_to_end
from orchestrator.execution.together import Together, taking_part
from orchestrator.tracking.flusher import Delivery
from tests.unit.orchestrator.planning import plan_text
from trainers.schema.record import Outcome, read_outcome, write_outcome
from trainers.schema.request import Request, read_request, write_request

TEXT = """
name: asked-late
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random, width: 0.5}
method: {kind: none}
schedule: {epochs: 4, policy: {kind: constant}}
search: {seeds: [0, 1]}
"""


def test_a_trial_that_is_resumed_after_the_last_claim_is_trained_by_the_job_that_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, store = plan_text(tmp_path, TEXT), Store(tmp_path / "store")
    trained: list[str] = []
    store.prepare()
    one, two = plan.students
    write_request(two.directory, Request.PAUSE)

    def train(*_: object, together: Together, **__: Any) -> Delivery:
        """Stand for Ray and MLflow; the second trial is resumed after the first round's last claim."""
        while trial := together.claims.take(plan.students):
            trial.directory.mkdir(parents=True, exist_ok=True)
            write_outcome(trial.directory, Outcome("finished"))
            together.claims.end(trial)
            trained.append(trial.id)
        if two.id not in trained:
            write_request(two.directory, Request.RESUME)
        return Delivery(complete=True)

    monkeypatch.setattr(study_run, "require_tracker", lambda _: None)
    monkeypatch.setattr(run, "run_plan", train)
    with taking_part(plan, store) as part:
        run_to_end(plan, store, RunSettings(together=part))
    assert trained == [one.id, two.id]
    assert (read_outcome(two.directory), read_request(two.directory)) == (Outcome("finished"), None)
