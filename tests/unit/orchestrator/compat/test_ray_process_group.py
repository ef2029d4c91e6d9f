"""Rank 0 opens the rendezvous on the machine's own address, and the others meet there."""

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import torch.distributed as dist

from orchestrator.compat import ray_process_group
from orchestrator.compat.ray_process_group import INTERFACES, listen, meet


@pytest.fixture(autouse=True)
def on_loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in INTERFACES:
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    monkeypatch.setattr(ray_process_group, "_own_address", lambda: "127.0.0.1")
    yield
    for left in ray_process_group._listening:
        left.close()
    ray_process_group._listening.clear()


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Stand in for torch, and note what it is given."""
    found: list[dict[str, Any]] = []

    def store(address: str, port: int, size: int, **options: Any) -> str:
        found.append({"address": address, "port": port, "size": size, **options})
        return "the store"

    monkeypatch.setattr(dist, "TCPStore", store)
    monkeypatch.setattr(
        dist, "init_process_group", lambda backend, **options: found.append({"backend": backend, **options})
    )
    return found


def test_the_rendezvous_is_opened_on_the_own_address_only() -> None:
    address, port = listen()
    [opened] = ray_process_group._listening
    assert (opened.family, opened.getsockname()) == (socket.AF_INET, (address, port))
    assert address == "127.0.0.1"


def test_rank_0_hands_its_socket_to_torch_and_the_others_only_come(met: list[dict[str, Any]]) -> None:
    address, port = listen()
    [opened] = ray_process_group._listening
    number = opened.fileno()
    for rank in (0, 1):
        meet("gloo", address, port, rank, 2, 7.0)
    os.close(number)
    place = {"address": address, "port": port, "size": 2, "timeout": timedelta(seconds=7)}
    group = {"backend": "gloo", "store": "the store", "world_size": 2, "timeout": timedelta(seconds=7)}
    assert met == [
        {**place, "is_master": True, "master_listen_fd": number},
        {**group, "rank": 0},
        {**place, "is_master": False, "master_listen_fd": None},
        {**group, "rank": 1},
    ]
    assert ray_process_group._listening == []


def test_gloo_and_nccl_take_the_interface_of_the_own_address_unless_the_user_chose_one(
    met: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "eth7")
    meet("gloo", "127.0.0.1", 1, 1, 2, 7.0)
    assert [os.environ[name] for name in INTERFACES] == ["lo", "eth7"]
