"""Which machines an autoscaler's file allows, which process's file that is, and what it says is on its way."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from orchestrator.compat import ray_autoscaler
from orchestrator.compat.ray_autoscaler import STALE_S, STATUS, coming, configured_kinds, is_coming, kinds_in
from tests.clock import own_clock

HEAD = {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0}
CONFIG = {
    "max_workers": 6,
    "head_node_type": "head",
    "available_node_types": {
        "head": HEAD,
        "small": {"resources": {"CPU": 8}, "node_config": {}},
        "large": {"resources": {"CPU": 48, "GPU": 4}, "node_config": {}, "min_workers": 0, "max_workers": 2},
    },
}


def test_kinds_are_the_workers_the_largest_first_and_no_more_than_all() -> None:
    assert kinds_in(CONFIG) == [(48, 4, 2), (8, 0, 4)]


def test_a_head_that_may_be_a_worker_too_is_a_kind() -> None:
    types = {"head": {**HEAD, "resources": {"CPU": 2}, "max_workers": 3}}
    assert kinds_in({"max_workers": 3, "head_node_type": "head", "available_node_types": types}) == [(2, 0, 3)]


@pytest.mark.parametrize("config", [{}, {"max_workers": 0}, {**CONFIG, "max_workers": 0}])
def test_a_cluster_that_may_start_nothing_has_no_kinds(config: dict[str, object]) -> None:
    assert kinds_in(config) == []


def process(folder: Path, number: int, *words: str) -> None:
    (folder / str(number)).mkdir(parents=True)
    (folder / str(number) / "cmdline").write_bytes(b"\0".join(map(os.fsencode, words)) + b"\0")


def test_the_file_is_that_of_the_autoscaler_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    process(tmp_path / "proc", 3, "bash", "--autoscaling-config=/nowhere")
    process(tmp_path / "proc", 4, "python", "x/ray/autoscaler/_private/monitor.py", "--logs-dir=/tmp")
    option = f"--autoscaling-config={tmp_path / 'config.yaml'}"
    process(tmp_path / "proc", 5, "python", "-u", "x/ray/autoscaler/_private/monitor.py", option)
    assert configured_kinds(tmp_path / "proc") == [(48, 4, 2), (8, 0, 4)]


@pytest.mark.parametrize("text", ["", "[1]", "available_node_types: [a]", "{", "max_workers: many"])
def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    option = f"--autoscaling-config={tmp_path / 'config.yaml'}"
    process(tmp_path / "proc", 5, "python", "ray/autoscaler/v2/monitor.py", option)
    assert configured_kinds(tmp_path / "proc") == []


NOW = 1_800_000_000.0
Say = Callable[[object], None]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Return a function that sets what Ray's first autoscaler has written about itself."""
    written: dict[str, object] = {}
    own_clock(monkeypatch, ray_autoscaler, time=lambda: NOW)
    monkeypatch.setattr("ray.autoscaler.v2.utils.is_autoscaler_v2", lambda: False)
    monkeypatch.setattr("ray.experimental.internal_kv._internal_kv_get", written.get)
    return lambda status: written.update({STATUS: status})


def status(age_s: float = 0.0, **report: object) -> str:
    return json.dumps({"time": NOW - age_s, "autoscaler_report": report})


def test_launches_and_nodes_that_are_not_there_yet_are_coming(say: Say) -> None:
    say(status(pending_launches={"worker": 2, "gpu": 1}, pending_nodes=[["10.0.0.2", "gpu", "setting-up"]]))
    assert coming() == "being started: 2 of gpu, 2 of worker"
    assert is_coming()


def test_what_the_provider_refuses_is_said_with_its_reason_and_nothing_is_coming(say: Say) -> None:
    refused = {"is_available": False, "unavailable_node_information": {"description": "no quota"}}
    kinds = {"gpu": refused, "worker": {"is_available": True}, "other": {}}
    say(status(node_availability_summary={"node_availabilities": kinds}))
    assert (coming(), is_coming()) == ("the provider refuses gpu: no quota", False)


@pytest.mark.parametrize(("age_s", "comes"), [(STALE_S, True), (STALE_S + 1, False)])
def test_an_autoscaler_that_is_silent_for_long_starts_nothing_any_more(age_s: float, comes: bool, say: Say) -> None:
    say(status(age_s, pending_launches={"worker": 1}))
    assert is_coming() is comes


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"time": "now"}', "{}"])
def test_a_cluster_without_an_autoscaler_has_nothing_coming(text: str | None, say: Say) -> None:
    say(text)
    assert (coming(), is_coming()) == ("", False)


def test_rays_second_autoscaler_is_asked_where_it_is_the_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    launches = [
        SimpleNamespace(ray_node_type_name="worker", count=2),
        SimpleNamespace(ray_node_type_name="gpu", count=1),
    ]
    nodes = [SimpleNamespace(ray_node_type_name="worker")]
    refused = [SimpleNamespace(ray_node_type_name="big", details="no quota")]
    found = SimpleNamespace(pending_launches=launches, pending_nodes=nodes, failed_launches=refused)
    asked: list[str] = []
    monkeypatch.setattr("ray.autoscaler.v2.utils.is_autoscaler_v2", lambda: True)
    monkeypatch.setattr("ray.get_runtime_context", lambda: SimpleNamespace(gcs_address="10.0.0.1:6379"))
    monkeypatch.setattr("ray.autoscaler.v2.sdk.get_cluster_status", lambda address: asked.append(address) or found)
    assert coming() == "being started: 1 of gpu, 3 of worker; the provider refuses big: no quota"
    assert asked == ["10.0.0.1:6379"]
