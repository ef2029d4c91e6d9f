"""No secret of the environment or of an address reaches MLflow, wherever a study or an error quotes it."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.tracking.tracker import Tracker
from orchestrator.worker_groups.trainable import TrialRunner
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.errors import TrialError
from trainers.schema.record import OUTCOME

SECRET = "hunter2-hunter2"
PASSWORD = "swordfish-swordfish"
QUOTES = (
    "scaling.workers=1",
    "search.space.method.alpha2=[4.0]",
    "search.seeds=[0]",
    f"description='made with {SECRET}'",
    f"tracking.tags={{source: 'https://me:{PASSWORD}@host/x', note: {SECRET}}}",
)


class Failing(TrialRunner):
    """Fail with a message that quotes secrets."""

    def source(self, job):  # type: ignore[no-untyped-def]
        raise TrialError(f"cannot fetch https://me:{PASSWORD}@host/x with {SECRET}")


def test_secrets_do_not_reach_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    store = Store(tmp_path / "store")
    plan = plan_text(
        tmp_path, VALID, *QUOTES, f"dataset={{kind: coco, root: /x/{SECRET}, classes: [a]}}", store=store.root
    )
    store.prepare()
    trial = plan.students[0]
    runner = Failing({"planned": {"id": trial.id, "job": plan.job(trial).model_dump_json()}})
    assert runner.step()["done"]
    assert (trial.directory / OUTCOME).exists()
    tracker = Tracker(plan, store)
    tracker.sync(trial)
    tracker.finish()
    client = MlflowClient(tracking_uri=store.tracking_uri)
    runs = client.search_runs([item.experiment_id for item in client.search_experiments()])
    assert len(runs) == 2
    assert any("***@host/x" in value for run in runs for value in run.data.tags.values())
    written = [path for path in store.root.rglob("*") if path.is_file()]
    assert {"study.json", "trial.json", "error.txt", "mlflow.db"} <= {path.name for path in written}
    leaks = [
        (path, secret) for path in written for secret in (SECRET, PASSWORD) if secret.encode() in path.read_bytes()
    ]
    assert leaks == []
