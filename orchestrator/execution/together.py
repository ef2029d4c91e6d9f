"""Take part in a study that several jobs train together in one store."""

import contextlib
import logging
import shutil
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.core.errors import OperationError
from orchestrator.core.leases import Leases
from orchestrator.core.store import Store
from orchestrator.core.working_directory import require_working_directory
from orchestrator.execution.claims import Claims
from orchestrator.execution.ownership import one_of_many
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import is_asked_to_go_on

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Together:
    """Hold the part of one job in a study that several jobs train: its leases, and its claims on trials."""

    plan: Plan
    store: Store
    leases: Leases

    @cached_property
    def claims(self) -> Claims:
        """Return the claims on trials; making them notes which trials have failed by now."""
        return Claims(self.leases, self.plan)

    @property
    def tune_dir(self) -> Path:
        """Return this job's own folder for Ray Tune."""
        return self.store.tune_dir / self.leases.token

    def is_asked(self, chosen: Collection[str] | None) -> bool:
        """Return whether a trial that this job may train was asked to go on after the last look at it, and say which."""
        asked = [trial for trial in self.plan.trials if is_asked_to_go_on(trial)]
        asked = [trial for trial in asked if chosen is None or trial.id in chosen]
        for trial in asked:
            log.info("%s  was asked to go on before this run ended", trial.id)
        return bool(asked)

    def delivering(self) -> AbstractContextManager[None]:
        """Hold the turn to write to MLflow: two jobs could each create a run of the same trial."""
        return self.leases.held("delivering", "waiting to write to MLflow")

    def finishing(self) -> AbstractContextManager[None]:
        """Hold the turn for measurements at the end of a study that are made once: rates, costs and the test split."""
        return self.leases.held("finishing", "waiting to finish the study")


@contextlib.contextmanager
def taking_part(plan: Plan, store: Store) -> Iterator[Together]:
    """Share a store for the length of a block; raise ``OperationError`` where it cannot be shared.

    Raises ``UserError`` where the working directory is gone.
    """
    require_working_directory()
    with store.shared_run() as leases, one_of_many(store, leases.token):
        require_one_file_system(store)
        require_one_machine(plan, leases)
        part = Together(plan, store, leases)
        try:
            yield part
        finally:
            shutil.rmtree(part.tune_dir, ignore_errors=True)


def require_one_file_system(store: Store) -> None:
    """Raise ``OperationError`` where files cannot be renamed from a lease into a trial's directory."""
    store.trials.mkdir(exist_ok=True)
    if store.trials.stat().st_dev != store.leases.stat().st_dev:
        raise OperationError(f"{store.trials} lies on another file system than {store.root}: --share needs both on one")


def require_one_machine(plan: Plan, leases: Leases) -> None:
    """Raise ``OperationError`` where jobs of several machines would write to one SQLite file."""
    if not (plan.study.tracking.uri or "sqlite:").startswith("sqlite:"):
        return
    for job in leases.jobs():
        holder = leases.holder(job)
        if holder is not None and not holder.is_here and leases.is_alive(job):
            raise OperationError(
                f"a job on {holder} trains in this store, and results go to an SQLite file, which only one machine may write: "
                "name a tracking server in tracking.uri"
            )
