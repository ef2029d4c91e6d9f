"""Keep two processes that form gloo groups: starting them anew for each test would import mmdet each time."""

import multiprocessing
import os
import socket
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

WORKERS = 2
LIMIT = timedelta(seconds=120)


class GlooPair:
    """Run functions in two processes that live as long as this object; each call has a group of its own."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn"))

    def run(self, work: Callable[..., Any], folder: Path, *arguments: object) -> list[Any]:
        """Return the results of ``work(rank, *arguments)``, rank by rank; the group meets in a file of the folder."""
        meeting = folder / "gloo-group"
        calls = [(work, rank, str(meeting), arguments) for rank in range(WORKERS)]
        return list(self._pool.map(_in_a_group, calls))

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


def _in_a_group(call: tuple[Callable[..., Any], int, str, tuple[object, ...]]) -> Any:
    work, rank, meeting, arguments = call
    if "lo" in (name for _, name in socket.if_nameindex()):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # else gloo looks up the host's name, which need not resolve
    here = Path.cwd()
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=WORKERS, timeout=LIMIT)
    try:
        return work(rank, *arguments)
    finally:
        dist.destroy_process_group()
        os.chdir(here)
        torch.set_flush_denormal(False)  # training sets both for the whole process
        torch.use_deterministic_algorithms(False)
