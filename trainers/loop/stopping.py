"""Detect stop requests at step boundaries, on all workers at the same step."""

import time
from collections.abc import Sequence

import torch
import torch.distributed as dist
from mmengine.dist import get_rank, get_world_size
from torch import Tensor

from trainers.schema.stop import stop_requested

LOOK_EVERY_S = 0.2  # a look at a directory on a network is not free; nobody notices a fifth of a second


class StopSignal:
    """Share the stop requests that rank 0 has seen with all workers of the process group.

    With one worker the answer is immediate. With more, each call sends rank 0's answer beside the step that follows, and
    the next call reads it: nothing waits for it, and every worker stops before the same step.
    """

    def __init__(self, directories: Sequence[str], device: torch.device) -> None:
        self._directories = list(directories)
        self._looked = 0.0
        self._seen = [False] * len(self._directories)
        self._device = device
        self._sent: tuple[Tensor, dist.Work, torch.cuda.Event | None] | None = None
        self._beside = torch.cuda.Stream(device) if device.type == "cuda" and get_world_size() > 1 else None

    def agreed(self) -> set[str]:
        """Return the directories of the trials to stop before the next step; all workers call it before every step."""
        if get_world_size() == 1:
            return self._named(self._wanted())
        # One step late on purpose: a collective call that is awaited here would stall every step of every worker.
        agreed = self._named(self._read())
        self._sent = self._send(self._wanted() if get_rank() == 0 else self._seen)
        return agreed

    def _named(self, flags: list[bool]) -> set[str]:
        return {directory for directory, flag in zip(self._directories, flags, strict=True) if flag}

    def _wanted(self) -> list[bool]:
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            # A request stays seen even if its file disappears: workers may already have agreed on it.
            looks = zip(self._seen, self._directories, strict=True)
            self._seen = [seen or stop_requested(directory) for seen, directory in looks]
        return self._seen

    def _send(self, wanted: list[bool]) -> tuple[Tensor, dist.Work, torch.cuda.Event | None]:
        flag = torch.tensor(wanted, dtype=torch.uint8, device=self._device)
        work = dist.all_reduce(flag, dist.ReduceOp.MAX, async_op=True)
        if self._beside is None:
            return flag, work, None
        with torch.cuda.stream(self._beside):  # the copy waits for the reduction, the next step for neither
            work.wait()
            flag = flag.to("cpu", non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        return flag, work, event

    def _read(self) -> list[bool]:
        if self._sent is None:
            return self._seen
        (flag, work, event), self._sent = self._sent, None
        if event is None:
            work.wait()
        else:
            event.synchronize()
        return [bool(value) for value in flag.tolist()]
