"""A Ray that has lost a process before its watch begins is known for what it is."""

from orchestrator.core.processes import Process
from orchestrator.execution.ray_watch import missing_process


def ray(*names: str) -> list[Process]:
    return [Process(number, 1, 1, f"/site-packages/ray/core/{name} --flags") for number, name in enumerate(names, 2)]


def test_a_ray_that_lacks_one_of_its_processes_has_lost_it() -> None:
    assert missing_process(ray("gcs_server")) == "raylet"
    assert missing_process(ray("raylet")) == "gcs_server"
    assert missing_process(ray("raylet", "gcs_server")) is None


def test_a_ray_elsewhere_lacks_nothing() -> None:
    assert missing_process([]) is None
