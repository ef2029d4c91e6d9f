"""Sample how much of its machine a worker uses, beside training, and average it over an epoch."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import torch
from mmengine.dist import all_gather_object, get_world_size

from trainers.loop import machine_use
from trainers.schema.system_metrics import (
    CPU_USE,
    IMAGES_PER_S,
    LOADING_SHARE,
    MEMORY,
    MEMORY_SHARE,
    of_gpu,
)

Values = dict[str, float]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerUse:
    """Hold one worker's means: of its machine by metric, and of its GPU by quantity. ``gpu`` is "" on a CPU."""

    machine: str
    gpu: str
    of_machine: Values
    of_gpu: Values


@dataclass
class _Readings:
    memory: list[machine_use.Memory] = field(default_factory=list)
    gpu: list[Values] = field(default_factory=list)


class SystemMetrics:
    """Sample a worker's machine every ``every_s`` seconds from a thread, which ``None`` starts none of.

    It holds the interpreter for a fraction of a millisecond a sample, and never the GPU. A machine that cannot be read has
    no metrics: training goes on.
    """

    def __init__(self, every_s: float | None, device: torch.device) -> None:
        self._every_s, self._device = every_s, device
        self._readings, self._began = _Readings(), machine_use.CpuTimes(0, 0)
        self._lock, self._end = threading.Lock(), threading.Event()
        self._broken = every_s is None
        self._thread: threading.Thread | None = None

    def restart(self) -> None:
        """Begin the next mean here: evaluation, say, is not to count."""
        self._guarded(self._restart)
        if self._thread is None and not self._broken:
            self._thread = threading.Thread(target=self._run, name="system-metrics", daemon=True)
            self._thread.start()

    def take(self, images: int, trained_s: float, waited_s: float) -> Values:
        """Return the means since ``restart`` over all workers; all of them call it together.

        ``images`` is the number of images that all workers have trained since, of ``trained_s`` seconds of training and
        ``waited_s`` of waiting for images in this worker. Nothing is returned where sampling is off.
        """
        if self._every_s is None:
            return {}
        own = self._own()
        uses = all_gather_object(own) if get_world_size() > 1 else [own]
        return joined([use for use in uses if use is not None]) | _rates(images, trained_s, waited_s)

    def close(self) -> None:
        """End the thread."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._every_s) and not self._broken:
            self._guarded(self._sample)

    def _guarded(self, act: Callable[[], None]) -> None:
        if self._broken:
            return
        try:
            act()
        except Exception as error:  # noqa: BLE001  whatever the machine does not tell, training is not to end by it
            self._broken = True
            log.warning("no system metrics: %s", error)

    def _restart(self) -> None:
        times = machine_use.cpu_times()
        with self._lock:
            self._readings, self._began = _Readings(), times

    def _sample(self) -> None:
        memory, gpu = machine_use.memory(), machine_use.gpu(self._device)
        with self._lock:
            self._readings.memory.append(memory)
            self._readings.gpu.append(gpu)

    def _own(self) -> WorkerUse | None:
        found: list[WorkerUse] = []

        def read() -> None:
            self._sample()  # an epoch may be shorter than the time between two samples
            busy, passed = (after - before for after, before in zip(machine_use.cpu_times(), self._began, strict=True))
            with self._lock:
                memory, gpu = self._readings.memory, self._readings.gpu
            of_machine = {
                **({CPU_USE: 100.0 * busy / passed} if passed > 0 else {}),
                MEMORY: fmean(one.used for one in memory) / machine_use.MEGABYTE,
                MEMORY_SHARE: 100.0 * fmean(one.used / one.total for one in memory),
            }
            of_gpu = {key: fmean(one[key] for one in gpu if key in one) for key in gpu[-1]}
            found.append(WorkerUse(machine_use.machine_name(), machine_use.gpu_name(self._device), of_machine, of_gpu))

        self._guarded(read)
        return found[0] if found else None


def joined(uses: Sequence[WorkerUse]) -> Values:
    """Return the metrics of a group of workers: the mean over its machines, and each of its GPUs by its number.

    GPUs are numbered in the order of the workers; two workers that share one have one number.
    """
    machines = {use.machine: use.of_machine for use in uses}
    gpus = {(use.machine, use.gpu): use.of_gpu for use in uses if use.gpu}
    keys = dict.fromkeys(key for values in machines.values() for key in values)
    means = {key: fmean(values[key] for values in machines.values() if key in values) for key in keys}
    return means | {
        of_gpu(number, quantity): value
        for number, values in enumerate(gpus.values())
        for quantity, value in values.items()
    }


def _rates(images: int, trained_s: float, waited_s: float) -> Values:
    seconds = trained_s + waited_s
    return {IMAGES_PER_S: images / seconds, LOADING_SHARE: 100.0 * waited_s / seconds} if seconds > 0.0 else {}
