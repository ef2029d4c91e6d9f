"""A submitted study has its variables in every process that trains, whatever variables its Ray job has."""

from pathlib import Path

import pytest

from tests.e2e.conftest import TINY
from tests.e2e.ray_processes import ray_processes
from tests.e2e.test_cluster import Client
from trainers.schema.record import read_outcome

SHORT = TINY.replace("epochs: 2", "epochs: 1").replace("epochs: 3", "epochs: 1")
TOGETHER = "  cohort: 2\n  baseline: false\nscaling: {portable: true}\n"


@pytest.mark.slow
def test_a_submitted_study_computes_portable_numbers_alone_and_in_a_cohort(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(SHORT + TOGETHER)
    with ray_processes(workers=1) as cluster:
        client = Client(cluster, tmp_path / "tiny.yaml", tmp_path / "store", f"sqlite:///{tmp_path / 'mlflow.db'}")
        assert client("submit", "--env", "MKL_CBWR=AVX2").code == 0
        end = client.ended().json  # a teacher alone, then two students side by side; one without its variables fails
        assert end["state"] == "finished", client("logs").out[-3000:]
    outcomes = [read_outcome(directory) for directory in client.store.glob("trials/*")]
    assert [outcome and outcome.status for outcome in outcomes] == ["finished"] * 3
