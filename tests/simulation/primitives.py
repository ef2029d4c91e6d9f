"""Stand for ``time``, ``threading``, ``uuid`` and ``socket`` in modules of the product that wait, lock and draw names."""

import threading
import time
import types
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tests.simulation.kernel import Died, Task, active, is_inside

EPOCH = 1_790_000_000.0  # the wall clock when a schedule begins


class VirtualTime:
    """Stand for the module ``time``."""

    def monotonic(self) -> float:
        return 1000.0 + active().now

    def perf_counter(self) -> float:
        return self.monotonic()

    def time(self) -> float:
        return EPOCH + active().now

    def sleep(self, seconds: float) -> None:
        active().pause(seconds)


class Event:
    """Stand for ``threading.Event``."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[Task] = []

    def is_set(self) -> bool:
        return self._is_set

    def clear(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            active().wake(task)

    def wait(self, timeout: float | None = None) -> bool:
        if not self._is_set:
            kernel = active()
            assert kernel.current is not None
            self._waiting.append(kernel.current)
            kernel.block(timeout)
        return self._is_set


class RLock:
    """Stand for ``threading.RLock`` and ``Lock``; the product takes no lock twice that is not reentrant."""

    def __init__(self) -> None:
        self._owner: Task | None = None
        self._depth = 0
        self._waiting: deque[Task] = deque()

    def acquire(self) -> bool:
        kernel = active()
        if kernel.current is None:  # a check of the schedule, which nobody interrupts
            return True
        while self._owner not in (None, kernel.current):
            self._waiting.append(kernel.current)
            kernel.block()
        self._owner, self._depth = kernel.current, self._depth + 1
        return True

    def release(self) -> None:
        if active().current is None:
            return
        self._depth -= 1
        if not self._depth:
            self._owner = None
            if self._waiting:
                active().wake(self._waiting.popleft())

    def __enter__(self) -> "RLock":
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Condition(RLock):
    """Stand for ``threading.Condition``."""

    def __init__(self) -> None:
        super().__init__()
        self._sleeping: list[Task] = []

    def notify(self, count: int = 1) -> None:
        woken, self._sleeping = self._sleeping[:count], self._sleeping[count:]
        for task in woken:
            active().wake(task)

    def notify_all(self) -> None:
        self.notify(len(self._sleeping))

    def wait(self, timeout: float | None = None) -> bool:
        kernel = active()
        task = kernel.current
        assert task is not None
        self._sleeping.append(task)
        self.release()
        kernel.block(timeout)
        notified = task not in self._sleeping
        if not notified:
            self._sleeping.remove(task)
        self.acquire()
        return notified

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        end = None if timeout is None else active().now + timeout
        while not (found := predicate()):
            left = None if end is None else end - active().now
            if left is not None and left <= 0:
                break
            self.wait(left)
        return found


class Thread:
    """Stand for ``threading.Thread``: a task of the process that starts it."""

    def __init__(
        self,
        target: Callable[..., object],
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        name: str = "",
        daemon: bool = True,
    ) -> None:
        self._call = lambda: target(*args, **(kwargs or {}))
        self.name, self.daemon = name, daemon
        self._task: Task | None = None

    def start(self) -> None:
        kernel = active()
        self._task = kernel.spawn(kernel.me, self._call)

    def is_alive(self) -> bool:
        return self._task is not None and not self._task.done

    def join(self, timeout: float | None = None) -> None:
        kernel, task = active(), self._task
        if kernel.current is None or not kernel.me.alive:
            raise Died
        if task is not None and not task.done:
            me = kernel.current
            task.after.append(lambda: kernel.wake(me))
            kernel.block(timeout)


TIME: Any = VirtualTime()
THREADING: Any = types.SimpleNamespace(
    Thread=Thread, Event=Event, RLock=RLock, Lock=RLock, Condition=Condition,
    current_thread=lambda: None, main_thread=lambda: ...,
)  # fmt: skip
UUID: Any = types.SimpleNamespace(
    uuid4=lambda: types.SimpleNamespace(hex=active().token()) if is_inside() or _is_running() else uuid.uuid4()
)
SOCKET: Any = types.SimpleNamespace(gethostname=lambda: active().me.machine)
REAL_TIME, REAL_THREADING = time, threading


def _is_running() -> bool:
    from tests.simulation import kernel

    return bool(kernel._active)
