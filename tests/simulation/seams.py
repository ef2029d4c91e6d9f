"""Put the virtual clock, threads, names and processes into the product's modules; all of their other code stays."""

import json
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from orchestrator.core.leases import Leases
from tests.simulation import files
from tests.simulation.kernel import active, is_inside
from tests.simulation.primitives import SOCKET, THREADING, TIME, UUID
from trainers.errors import TrialError

CLOCKED = (
    "orchestrator.core.leases",
    "orchestrator.core.locks",
    "orchestrator.execution.callbacks",
    "orchestrator.execution.claims",
    "orchestrator.execution.ownership",
    "orchestrator.failures.retry",
    "orchestrator.search.resuming",
    "orchestrator.service.queue",
    "orchestrator.service.reconcile_loop",
    "orchestrator.submit.cluster",
    "orchestrator.submit.reconcile",
    "orchestrator.submit.record",
    "orchestrator.tracking.flusher",
    "orchestrator.tracking.tracker",
    "orchestrator.worker_groups.broker",
    "orchestrator.worker_groups.capacity",
    "orchestrator.worker_groups.pool",
    "orchestrator.worker_groups.trainable",
    "orchestrator.commands.job",
    "trainers.schema.events",
    "trainers.worker",
)
SHIMS = {"time": TIME, "threading": THREADING, "uuid": UUID, "socket": SOCKET}


class OwnDict(MutableMapping[Any, Any]):
    """Stand for a dictionary that is a module's, so that each virtual process has its own."""

    def __init__(self, name: str) -> None:
        self._name, self._outside = name, dict[Any, Any]()

    @property
    def _mine(self) -> dict[Any, Any]:
        if not is_inside():
            return self._outside
        found: dict[Any, Any] = active().me.own.setdefault(self._name, {})
        return found

    def __getitem__(self, key: Any) -> Any:
        return self._mine[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._mine[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._mine[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._mine)

    def __len__(self) -> int:
        return len(self._mine)


class JsonStates:
    """Stand for ``torch`` where states are saved: the same file, written the same way, with plain content."""

    @staticmethod
    def save(content: Any, stream: IO[bytes]) -> None:
        stream.write(json.dumps(content).encode())
        stream.flush()


def read_state(path: str | Path) -> dict[str, Any]:
    """Read what ``JsonStates`` has written; raise as the product does for a damaged file."""
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise TrialError(f"cannot read checkpoint {path}: {error}") from error
    except ValueError as error:
        raise TrialError(f"checkpoint {path} is damaged") from error
    if not isinstance(content, dict):
        raise TrialError(f"checkpoint {path} is damaged")
    return content


def holds_together(path: Path) -> bool:
    """Return whether a state is whole."""
    try:
        read_state(path)
    except TrialError:
        return False
    return True


def replace(module: str, **values: Any) -> None:
    """Exchange names of a module of the product for the rest of this process."""
    found = import_module(module)
    for name, value in values.items():
        assert hasattr(found, name), f"{module} has no {name}"
        setattr(found, name, value)


def install() -> None:
    """Exchange what all worlds need, once; this process runs schedules and nothing else."""
    files.install()
    for name in CLOCKED:
        module = import_module(name)
        for shim, value in SHIMS.items():
            if hasattr(module, shim):
                setattr(module, shim, value)
    Leases.__init__.__defaults__ = (TIME.monotonic, None)  # bound when the class was made
    replace("trainers.schema.fence", _fences=OwnDict("fences"))
    replace("trainers.schema.being_read", _directories=[])
    replace("trainers.state.saving", torch=JsonStates)
    replace("trainers.state.recovery", read_checkpoint=read_state, holds_together=holds_together)
    replace("trainers.state.checkpoints", read_checkpoint=read_state, holds_together=holds_together)
    replace("orchestrator.core.leases", lives=lives, this_process=this_process, this_machine_id=this_machine)


def lives(identity: str) -> bool:
    """Return whether a virtual process of this machine is there; one that stands still is."""
    return any(one.identity == identity and one.alive for one in active().processes)


def this_process() -> Any:
    """Return the process that asks."""
    return active().me


def this_machine() -> str:
    """Return the machine of the process that asks."""
    return active().me.machine
