"""Which machines an autoscaler's file allows, and which process's file that is."""

import os
from pathlib import Path

import pytest
import yaml

from orchestrator.compat.ray_autoscaler import configured_kinds, kinds_in

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
