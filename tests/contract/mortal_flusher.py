"""Flush a study again and again in processes that are killed; run as a program: STUDY STORE SEED LIVES SETTING..."""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.tracking.backoff import Backoff
from orchestrator.tracking.flusher import Flusher
from orchestrator.tracking.tracker import Tracker
from tests.unit.orchestrator.planning import plan_file

SHORTEST_S, LONGEST_S = 0.05, 2.5  # a life
GIVE_UP_S = 60.0


def main() -> None:
    """Live LIVES lives that end by SIGKILL, then one that ends well; print how often death came in time."""
    study, root, seed, lives, *sets = sys.argv[1:]
    store = Store(root)
    plan = plan_file(Path(study), *sets, store=store.root)
    chance, killed = random.Random(int(seed)), 0
    for life in range(int(lives)):
        killed += was_killed(flush_in_child(plan, store, life), chance.uniform(SHORTEST_S, LONGEST_S))
    complete = os.waitstatus_to_exitcode(os.waitpid(flush_in_child(plan, store, int(lives)), 0)[1]) == 0
    print(json.dumps({"killed": killed, "complete": complete}))


def flush_in_child(plan: Plan, store: Store, seed: int) -> int:
    """Fork a process that delivers what is on disk, and return its id; forking spares it the imports."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        with store.only_run():
            flusher = Flusher(Tracker(plan, store), plan.trials, Backoff(seed))
            status = 0 if flusher.close(GIVE_UP_S).complete else 1
    finally:
        os._exit(status)


def was_killed(child: int, after_s: float) -> bool:
    """Kill a process after some time, unless it has ended by then."""
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
