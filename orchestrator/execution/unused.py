"""Find and delete trials of a store that no study uses any more."""

import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.leases import JOB
from orchestrator.core.store import Store
from orchestrator.execution.prefix_order import wanted_states
from orchestrator.plan.kept import forget_kept
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import ID_LENGTH, status_of
from trainers.schema.atomic import remove
from trainers.schema.state_files import state_files
from trainers.schema.status import is_over

TRIAL = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
DELETED = ".deleted-"  # a trial whose deletion has begun: it is no trial any more


@dataclass(frozen=True)
class Unused:
    """Hold one unused folder of a store, a trial or a leftover of a run or a deletion, or the state of a trial that has ended."""

    name: str
    state: str
    bytes: int
    path: Path


def unused_trials(store: Store, kept: Collection[str]) -> list[Unused]:
    """Return the trials that are not ``kept``, biggest first; folders that are no trials are nobody's business."""
    folders = [path for path in _folders(store.trials) if TRIAL.fullmatch(path.name) and path.name not in kept]
    found = [Unused(path.name, _state(path), size_of(path), path) for path in folders]
    return sorted(found, key=lambda one: (-one.bytes, one.name))


def unused_states(plans: Sequence[Plan], leaving: Collection[Unused]) -> list[Unused]:
    """Return the states that trials of these plans have handed on and that no plan keeps or starts from, biggest first.

    Those of trials that go on, or that are ``leaving`` as a whole, are left out.
    """
    wanted: dict[str, set[int]] = {}
    for plan in plans:
        for donor, epochs in wanted_states(plan).items():
            wanted.setdefault(donor, set()).update(epochs)
        for trial in plan.trials:
            wanted.setdefault(trial.id, set()).update(plan.keeps(trial))
    folders = {trial.id: trial.directory for plan in plans for trial in plan.trials}
    gone = {one.path for one in leaving}
    found = [
        Unused(f"{name}/{path.name}", "state for others", path.lstat().st_size, path)
        for name, folder in folders.items()
        if folder not in gone and is_over(_state(folder))
        for epoch, path in state_files(folder)
        if epoch not in wanted[name]
    ]
    return sorted(found, key=lambda one: (-one.bytes, one.name))


def leftovers(store: Store) -> list[Unused]:
    """Return the paths that no later run reads: Ray Tune's folder, trials that were half deleted, and leases of jobs that were killed.

    None during a run.
    """
    if store.is_in_use():
        return []
    tune = [("tune", "of Ray Tune", store.tune_dir)] if store.tune_dir.is_dir() else []
    halves = [(path.name, "half deleted", path) for path in _folders(store.trials) if path.name.startswith(DELETED)]
    jobs = [(path.name, "of a killed run", path) for path in _folders(store.leases) if path.name.startswith(JOB)]
    return [Unused(name, state, size_of(path), path) for name, state, path in (*tune, *halves, *jobs)]


def delete(found: Collection[Unused], store: Store) -> None:
    """Delete trials and leftovers; the caller holds the store, so that none of them is in use.

    A trial loses its name first: killed in between, nothing is left that looks like one.
    """
    for one in sorted(
        found, key=lambda one: TRIAL.fullmatch(one.path.name) is not None
    ):  # halves free the trials' names
        path = one.path
        if TRIAL.fullmatch(path.name) and path.parent == store.trials:
            path = path.rename(path.with_name(f"{DELETED}{path.name}"))
        if not path.is_dir():
            remove(path)
            continue
        shutil.rmtree(path)
        shutil.rmtree(store.leases / one.path.name, ignore_errors=True)
    forget_kept(store)


def size_of(folder: Path) -> int:
    """Return how many bytes the files of a folder have; links are not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def _folders(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _state(directory: Path) -> str:
    try:
        return status_of(directory)
    except OSError:
        return "damaged"
