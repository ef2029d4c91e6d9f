"""Run on each worker of a worker group inside Ray: train one cohort of trials after the other."""

import contextlib
import logging
import pickle
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

import ray
from mmengine.dist import broadcast_object_list, get_rank, get_world_size
from ray.util import get_current_placement_group

from trainers.compat.lean_imports import lean_imports
from trainers.compat.ray_nodes import leaves
from trainers.schema import Job
from trainers.schema.stop import MachineLeaves, must_move, request_move

LOOK_EVERY_S = 1.0  # for a notice: providers give from 30 seconds to two minutes
log = logging.getLogger(__name__)


def train_worker(config: dict[str, Any]) -> None:
    """Train cohorts until there are no more; rank 0 sends every record to the broker.

    ``config`` holds ``broker``, an actor with ``cohort``, ``put``, ``fail``, ``stop``, ``active_trials``, ``end``, ``note`` and
    ``withdraw``, the ``host``'s name by which it knows this group, and ``loop``, the module that trains. The process group is the one
    that Ray Train has made. After each epoch all workers wait until the scheduler has judged it. A record that is never taken
    is not lost: it is on disk before it is sent.
    """
    line = BrokerLink(config["broker"], config["host"])
    with lean_imports():
        loop = import_module(config["loop"])
    if get_rank() == 0:
        # The pool frees the group with this handle when the host dies, so the broker needs it before any training.
        line.send("note", "placement_group", get_current_placement_group())
    directories: list[str] = []
    with notice(directories, line.withdraw):
        while jobs := [Job.model_validate_json(text) for text in line.ask("cohort")]:
            directories[:] = [job.directory for job in jobs]
            train_cohort(line, loop, jobs)
            directories.clear()


@contextlib.contextmanager
def notice(directories: Sequence[str], told: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Watch for the notice that this machine will be taken away, for the length of a block.

    Then the trials in ``directories`` are asked to save their states and to go on elsewhere, and ``told`` is called first.
    Any worker of a group may be the one whose machine goes; the directories are seen by all.
    """
    over = threading.Event()

    def watch() -> None:
        asked: set[str] = set()  # each once: it may have begun elsewhere by now
        while not over.wait(LOOK_EVERY_S):
            if leaves_soon():
                told()
                begun = set(directories) - asked
                for directory in begun:
                    request_move(directory)
                asked |= begun

    thread = threading.Thread(target=watch, name="notice", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def leaves_soon() -> bool:
    """Return whether this machine is about to be taken away; a Ray that does not answer has given no notice."""
    try:
        return leaves()
    except Exception as error:  # noqa: BLE001  its head may be gone, and training goes on without the answer
        log.debug("could not ask about this machine: %s", error)
        return False


def train_cohort(line: "BrokerLink", loop: Any, jobs: Sequence[Job]) -> None:
    """Train one cohort to its end. In a process of its own a fault that its trials share ends the cohort only."""
    try:
        for trial_id, found in loop.train_together(jobs, lambda trial_ids: line.ask("active_trials", list(trial_ids))):
            if isinstance(found, loop.Failed):
                line.send("fail", trial_id, portable(found.error))
            elif isinstance(found, loop.Stopped) and trial_id in moving(jobs):
                line.send("fail", trial_id, (MachineLeaves("the machine is about to be taken away"),))
            elif isinstance(found, loop.Stopped):
                line.send("stop", trial_id)
            else:
                line.send("put", trial_id, found)
    except Exception as error:
        if line.workers > 1:
            raise  # the process group is out of step: only a new group can train the next cohort
        line.send("end", portable(error))
    else:
        line.send("end")


def moving(jobs: Sequence[Job]) -> set[str]:
    """Return the ids of the trials that have to go on elsewhere."""
    return {job.trial_id for job in jobs if must_move(job.directory)}


class BrokerLink:
    """Connect the workers of a group with the broker: rank 0 calls it, all workers get the answers."""

    def __init__(self, broker: Any, host: str) -> None:
        self._broker, self._host, self.workers = broker, host, get_world_size()

    def send(self, message: str, *content: Any) -> None:
        """Call the broker and wait: an asynchronous actor may change the order of calls."""
        if get_rank() == 0:
            ray.get(getattr(self._broker, message).remote(self._host, *content))

    def withdraw(self) -> None:
        """Let the broker give this host no further cohort; any worker may call it."""
        self._broker.withdraw.remote(self._host)

    def ask(self, question: str, *content: Any) -> Any:
        """Return the broker's answer, on all workers."""
        answer = [ray.get(getattr(self._broker, question).remote(self._host, *content)) if get_rank() == 0 else None]
        broadcast_object_list(answer, src=0)
        return answer[0]


def portable(error: BaseException) -> tuple[BaseException, ...]:
    """Return an error and its causes as another process can read them, with the traceback as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    chain: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in chain:
        found.__traceback__ = None  # its frames hold the student's tensors
        chain.append(found)
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return tuple(map(readable, chain))


def readable(error: BaseException) -> BaseException:
    """Return the error, or one that says the same where its class cannot be read elsewhere."""
    with contextlib.suppress(Exception):
        pickle.loads(pickle.dumps(error))  # noqa: S301  our own error
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")
