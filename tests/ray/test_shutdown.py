"""Ray ends a process whose other thread frees a reference while it takes itself down: ours outlives that."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Cycles that hold references, so that only a collection frees them; the thread's own allocations start collections.
PROGRAM = """
import gc, threading, time

import ray
from orchestrator.execution.ray_cluster import stop_ray

class Node: pass

def leave(references):
    while references and not over.wait(0.00005):
        one, other = Node(), Node()
        one.other, other.other, one.reference = other, one, references.pop()

ray.init("local", num_cpus=1, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
over = threading.Event()
shares = [[ray.put(0) for _ in range(7500)] for _ in range(4)]
threads = [threading.Thread(target=leave, args=(share,), daemon=True) for share in shares]
del shares
gc.set_threshold(20, 1, 1)
for thread in threads:
    thread.start()
stop_ray()
over.set()
print("the end")
"""


def test_garbage_that_holds_references_does_not_end_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr[-2000:]
