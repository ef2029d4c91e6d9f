"""MLflow's database tells which trials belong to studies that it still has."""

from pathlib import Path

from mlflow.tracking import MlflowClient

from orchestrator.core.store import Store
from orchestrator.tracking.members import trials_in_mlflow
from orchestrator.tracking.runs import find_or_create, member_tag


def test_a_deleted_study_keeps_no_trial(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert trials_in_mlflow(store) is None
    client = MlflowClient(tracking_uri=store.tracking_uri)
    experiment = client.create_experiment("mine", artifact_location=str(tmp_path / "artifacts"))
    members = {"a" * 64: "1" * 12, "b" * 64: "2" * 12}
    studies = [find_or_create(client, experiment, "study", study, "mine", {}) for study in members]
    for study, trial in members.items():
        find_or_create(client, experiment, "trial", trial, trial, {member_tag(study): "yes"})
    both = {member_tag(study): "yes" for study in members}
    find_or_create(client, experiment, "trial", "3" * 12, "shared", both)
    assert trials_in_mlflow(store) == {"1" * 12, "2" * 12, "3" * 12}
    client.delete_run(studies[1].info.run_id)
    assert trials_in_mlflow(store) == {"1" * 12, "3" * 12}
