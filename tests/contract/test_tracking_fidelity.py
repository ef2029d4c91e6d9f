"""The page of a short study finds the full one by what both have recorded in MLflow."""

import shutil
from pathlib import Path

from dashboards.snapshot import snapshot
from orchestrator.core.store import Store
from orchestrator.tracking.history.mlflow_tracking import MlflowTracking
from orchestrator.tracking.tracker import Tracker
from tests.contract.test_tracking import migrated  # noqa: F401  a fixture
from tests.unit.orchestrator.plan.test_fidelity import train
from tests.unit.orchestrator.plan.test_prefixes import planned


def test_a_page_says_how_a_short_study_orders_the_rows_of_the_full_one(migrated: Path, tmp_path: Path) -> None:  # noqa: F811
    store = Store(tmp_path / "store")
    store.root.mkdir()
    shutil.copyfile(migrated, store.database)
    for fidelity in ("full", "short"):
        plan = planned(tmp_path, "schedule.lr: [0.1, 0.2, 0.3]", f"fidelity={fidelity}")
        tracker = Tracker(plan, store)
        for number, trial in enumerate(plan.students):
            train(trial, 0.1 * (1 + number))
            tracker.sync(trial)
    full, short = snapshot(MlflowTracking(store.tracking_uri))["studies"]
    assert (full["name"], full["fidelity"]) == ("lengths", None)
    assert short["fidelity"] == {"study": full["id"], "rows": 3, "correlation": 1.0}
