"""Read runs' files beside each other, within a bound, and keep those that pages ask for again."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from anyio import CapacityLimiter, to_thread

from dashboards.predictions import LARGEST, Artifacts
from orchestrator.core.errors import OperationError

READS = 4  # at a time
MOST_WAITING = 256  # reads, beyond those
FRESH_S = 30.0  # a file younger than this is handed out without a look at the store: predictions may be replaced
ROOM = 64 << 20  # bytes
MOST_FILES = 10_000
Name = tuple[str, str]


@dataclass(frozen=True)
class KeptFile:
    """Hold a file as it was at a time, by the monotonic clock; ``digest`` is the SHA-256 of its content."""

    digest: str
    content: bytes
    taken: float


class ArtifactCache:
    """Hand out artifacts, for one event loop; equal contents are kept once, those that were asked for last.

    Requests for a file that is being read wait for that read. Raises ``OperationError`` where the store fails, or too many
    reads wait.
    """

    def __init__(self, artifacts: Artifacts, room: int = ROOM, clock: Callable[[], float] = time.monotonic) -> None:
        self._artifacts, self._room, self._clock = artifacts, room, clock
        self._limiter = CapacityLimiter(READS)
        self._reads: dict[Name, asyncio.Task[KeptFile]] = {}
        self._files: OrderedDict[Name, KeptFile] = OrderedDict()
        self._contents: dict[str, tuple[bytes, int]] = {}  # by digest, with the number of files that have it
        self._size = 0

    async def file(self, run: str, path: str) -> KeptFile | None:
        """Return a file of a run, ``None`` when there is none or it is too large."""
        name = (run, path)
        found = self._files.get(name)
        if found is None or self._clock() - found.taken >= FRESH_S:
            found = await self._read_once(name)
        else:
            self._files.move_to_end(name)
        return found if found.digest else None

    async def _read_once(self, name: Name) -> KeptFile:
        """Join the read of a file that is under way, or begin one; who leaves does not end it for the others."""
        if name not in self._reads:
            if len(self._reads) >= READS + MOST_WAITING:
                raise OperationError(f"{MOST_WAITING} files wait to be read: ask again")
            task = asyncio.create_task(self._read(name))
            self._reads[name] = task
            task.add_done_callback(partial(self._ended, name))
        return await asyncio.shield(self._reads[name])

    def _ended(self, name: Name, task: asyncio.Task[KeptFile]) -> None:
        del self._reads[name]
        if not task.cancelled():
            task.exception()  # it was raised to those who wait, if there still are any

    async def _read(self, name: Name) -> KeptFile:
        content = await to_thread.run_sync(partial(self._artifacts.artifact, *name, LARGEST), limiter=self._limiter)
        digest = "" if content is None else hashlib.sha256(content).hexdigest()
        return self._keep(name, digest, content or b"")

    def _keep(self, name: Name, digest: str, content: bytes) -> KeptFile:
        self._forget(name)
        content, times = self._contents.get(digest, (content, 0))
        self._contents[digest] = content, times + 1
        self._size += 0 if times else len(content)
        self._files[name] = kept = KeptFile(digest, content, self._clock())
        while self._size > self._room or len(self._files) > MOST_FILES:
            self._forget(next(iter(self._files)))
        return kept

    def _forget(self, name: Name) -> None:
        kept = self._files.pop(name, None)
        if kept is None:
            return
        content, times = self._contents.pop(kept.digest)
        if times > 1:
            self._contents[kept.digest] = content, times - 1
        else:
            self._size -= len(content)
