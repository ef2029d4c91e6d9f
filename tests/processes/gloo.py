"""Keep processes that form gloo groups: starting them anew for each test would import mmdet each time."""

import multiprocessing
import os
import socket
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

WORKERS = 2
LIMIT = timedelta(seconds=120)
Call = tuple[Callable[..., Any], int, int, str, timedelta, tuple[object, ...]]


class GlooGroup:
    """Run functions in processes that live as long as this object; each call has a group of its own."""

    def __init__(self, workers: int, context: BaseContext, limit: timedelta = LIMIT) -> None:
        self._workers, self._limit = workers, limit
        self._pool = ProcessPoolExecutor(workers, mp_context=context)

    def run(self, work: Callable[..., Any], folder: Path, *arguments: object) -> list[Any]:
        """Return the results of ``work(rank, *arguments)``, rank by rank; the group meets in a file of the folder."""
        return list(self._pool.map(in_a_group, self.calls(work, folder, *arguments)))

    def calls(self, work: Callable[..., Any], folder: Path, *arguments: object) -> list[Call]:
        """Return what each rank calls ``in_a_group`` with."""
        meeting = str(folder / "gloo-group")
        return [(work, rank, self._workers, meeting, self._limit, arguments) for rank in range(self._workers)]

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()


class GlooPair(GlooGroup):
    """Keep two processes."""

    def __init__(self) -> None:
        super().__init__(WORKERS, multiprocessing.get_context("spawn"))


def in_a_group(call: Call) -> Any:
    """Join the group, work, and leave the process as it was."""
    work, rank, workers, meeting, limit, arguments = call
    if "lo" in (name for _, name in socket.if_nameindex()):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # else gloo looks up the host's name, which need not resolve
    here = Path.cwd()
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=workers, timeout=limit)
    try:
        return work(rank, *arguments)
    finally:
        dist.destroy_process_group()
        os.chdir(here)
        torch.set_flush_denormal(False)  # training sets both for the whole process
        torch.use_deterministic_algorithms(False)
