"""A study that is run while no server listens at the tracking address, and delivered afterwards."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.contract.guarded_proxy import Reply, guarded
from tests.contract.mlflow_server import MlflowServer
from tests.e2e.stillhouse import deterministic, histories, stillhouse


@pytest.mark.slow
def test_a_study_runs_without_its_tracker_and_is_delivered_later(tiny_study: Path, tmp_path: Path) -> None:
    server, store = MlflowServer(tmp_path / "server"), tmp_path / "store"
    options = (tiny_study, "--store", store, "--set", f"tracking.uri={server.address}", "--set", "search.space={}")
    away = stillhouse("run", *options, "--json", "--tracker-wait", "0")
    assert away.code == 1, away.err
    assert {trial["status"] for trial in away.json["trials"]} == {"finished"}
    assert "points of 3 trials" in away.err
    try:
        server.start()
        delivered = stillhouse("sync", *options)
        assert delivered.code == 0, delivered.err
        compared = stillhouse("compare", *options, "--json")
        assert deterministic(compared.json["trials"]) == deterministic(away.json["trials"])
        again = stillhouse("run", *options, "--json")
        assert (again.code, again.json) == (0, compared.json), again.err
        client = MlflowClient(tracking_uri=server.address)
        for trial in compared.json["trials"]:
            for key in ("loss/total", "coco/bbox_mAP"):
                points = client.get_metric_history(trial["mlflow_run_id"], key)
                wanted = [(record["epoch"], record["metrics"][key]) for record in histories(store)[trial["id"]]]
                assert [(point.step, point.value) for point in points] == wanted
    finally:
        server.kill()


@pytest.mark.slow
def test_a_token_revoked_after_the_first_trial_lets_the_others_train(tiny_study: Path, tmp_path: Path) -> None:
    """tests/contract/test_tracking_situations.py has the same without training."""
    server, store, valid = MlflowServer(tmp_path / "server"), tmp_path / "store", False

    def reply(method: str, path: str) -> Reply | None:
        ended = any(store.glob("trials/*/outcome.json"))
        return (401, [], b'{"error": "the token was revoked"}') if ended and not valid else None

    server.start()
    try:
        with guarded(server.port, instead=reply) as address:
            options = (tiny_study, "--store", store, "--set", f"tracking.uri={address}", "--set", "search.space={}")
            revoked = stillhouse("run", *options, "--json")
            assert revoked.code == 1, revoked.err
            assert {trial["status"] for trial in revoked.json["trials"]} == {"finished"}
            assert revoked.err.count("MLflow refuses") == 1
            assert "Traceback" not in revoked.err
            valid = True
            assert stillhouse("sync", *options).code == 0
            compared = stillhouse("compare", *options, "--json")
        assert deterministic(compared.json["trials"]) == deterministic(revoked.json["trials"])
    finally:
        server.kill()
