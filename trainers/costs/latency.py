"""Measure how long a detector takes for one image on a CPU."""

import statistics
import time
from typing import Any

import torch

from trainers.compat.nms_candidates import fixed_candidates
from trainers.schema.costs import CANDIDATES, Latency
from trainers.schema.cpu import cpu_name

THREADS = 1  # every machine has one, and a busy neighbour disturbs it least
WARM_UP = 1
FEWEST, MOST = 5, 50  # repeats
ENOUGH_S = 3.0  # after the fewest repeats


@torch.inference_mode()
def measure_latency(detector: Any, inputs: torch.Tensor, samples: list[Any]) -> Latency:
    """Return the latency of ``detector`` for ``inputs`` (1, 3, H, W): forward, decoding and suppression.

    Reading, resizing and normalising the image is not part of it. Suppression sees ``CANDIDATES`` boxes.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with fixed_candidates(detector, CANDIDATES):
            seconds = _repeat(lambda: detector.predict(inputs, samples, rescale=True))
    finally:
        torch.set_num_threads(threads)
    lower, median, upper = statistics.quantiles(seconds, n=4, method="inclusive")
    return Latency(
        median_ms=1000 * median,
        min_ms=1000 * min(seconds),
        spread_ms=1000 * (upper - lower),
        repeats=len(seconds),
        threads=THREADS,
        machine=cpu_name(),
    )


def _repeat(forward: Any) -> list[float]:
    for _ in range(WARM_UP):
        forward()
    seconds: list[float] = []
    while len(seconds) < FEWEST or (sum(seconds) < ENOUGH_S and len(seconds) < MOST):
        begin = time.perf_counter()
        forward()
        seconds.append(time.perf_counter() - begin)
    return seconds
