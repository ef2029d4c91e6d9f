"""A study that is run while no server listens at the tracking address, and delivered afterwards."""

from pathlib import Path

from mlflow.tracking import MlflowClient

from tests.contract.mlflow_server import MlflowServer
from tests.e2e.stillhouse import deterministic, histories, stillhouse


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
