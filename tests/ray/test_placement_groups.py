"""The placement groups of a trial that was killed are found by name and freed, those of others are not."""

from collections.abc import Iterator

import pytest


@pytest.fixture
def cluster() -> Iterator[None]:
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()


def test_a_trials_places_are_freed_and_no_others(cluster: None) -> None:
    import ray
    from ray.util import placement_group, placement_group_table

    from orchestrator.worker_groups.placement_groups import free_places, new_name

    kept = placement_group([{"CPU": 1}], name=new_name("a1"))
    placed = placement_group([{"CPU": 1}], name=new_name("a"))
    waiting = placement_group([{"CPU": 2}], name=new_name("a"))  # there is no room for it
    ray.get([kept.ready(), placed.ready()], timeout=60)
    for _ in range(2):
        free_places("a")
        states = {key: entry["state"] for key, entry in placement_group_table().items()}
        assert states == {kept.id.hex(): "CREATED", placed.id.hex(): "REMOVED", waiting.id.hex(): "REMOVED"}
