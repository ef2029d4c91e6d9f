"""Tell which process reads an item, and wait for processes to end."""

import os
import select
from collections.abc import Iterable
from typing import Any


class Pids:
    """Serve items that name the process that has read them."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def get_data_info(self, _: int) -> dict[str, int]:
        """Return one size for all, so that batches are as long as they may be."""
        return {"width": 1, "height": 1}

    def __getitem__(self, _: int) -> dict[str, Any]:
        return {"pid": os.getpid()}


def wait_for_end(pids: Iterable[int], limit_s: float = 20.0) -> None:
    """Return when none of the processes is alive; raise ``AssertionError`` for one that outlives the limit."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ready, _, _ = select.select([handle], [], [], limit_s)
        os.close(handle)
        assert ready, f"process {pid} is still alive"
