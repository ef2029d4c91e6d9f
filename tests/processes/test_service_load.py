"""The short form of the load test: many clients, slow ones, large bodies, a hanging cluster, a restart; nothing is lost."""

import asyncio
from pathlib import Path

from tests.benchmarks.service_load import Load
from tests.e2e.service_process import service_process


def test_under_load_and_over_a_restart_nothing_is_lost(tmp_path: Path) -> None:
    with service_process(tmp_path) as (service, cluster):
        load = Load(service, cluster, seconds=10, clients=40)
        asyncio.run(load.run())
        load.require_nothing_lost()
        assert load.accepted
        assert {"200", "202"} <= set(load.statuses)
        assert {"large 401", "large 413"} & set(load.statuses), load.statuses
        assert not {"500", "502"} & set(load.statuses)
        assert service.log.stat().st_size < 20_000
