"""Define the layout of a store: trials by identity, the tracking database, Ray's own files."""

import contextlib
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.leases import JOB, RUN, Leases
from orchestrator.core.locks import NoFileLocks, held_alone, held_shared, is_held
from orchestrator.core.sqlite_file import reading
from trainers.schema.fence import set_fence

VARIABLE = "STILLHOUSE_STORE"
MLFLOWS_TABLES = {"alembic_version", "experiments"}  # MLflow would add its tables to anybody's database
DEFAULT = "stillhouse-runs"
UNUSABLE = re.compile(  # what follows "?" are options, "%41" is decoded, and bytes that are no UTF-8 become others
    r"\?|%[0-9A-Fa-f]{2}|[\x00-\x1f\ud800-\udfff]"
)
RUN_LOCK, QUEUE_LOCK = "run.lock", "queue.lock"  # of the one run, and of the one service
DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"  # of the embedded tracking store


class Store:
    """Name the folders of one store; nothing is written before ``prepare``.

    Raises ``UserError`` for a path that MLflow would read as another one: it would write beside the store.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self.root = Path(root or os.environ.get(VARIABLE) or DEFAULT).expanduser().absolute()
        if found := UNUSABLE.search(str(self.root)):
            raise UserError(
                f"the store {str(self.root)!r} has {found[0]!r} in its path, which MLflow takes for something else in the "
                "address of its database: rename the folder, or give another --store"
            )

    def trial_dir(self, trial_id: str) -> Path:
        """Return the directory of a trial; trials of all studies lie side by side, so that studies share them."""
        return self.trials / trial_id

    @property
    def trials(self) -> Path:
        """Return the folder of all trials."""
        return self.root / "trials"

    def search_log(self, identity: str) -> Path:
        """Return the path of a study's search log; losing the file loses no result."""
        return self.root / "searches" / f"{identity}.jsonl"

    @property
    def studies(self) -> Path:
        """Return the folder that says which studies were run here, and which trials each of them has."""
        return self.root / "studies"

    @property
    def costs(self) -> Path:
        """Return the folder of the costs of detectors: parameters, multiply-adds, latency; each is measured once."""
        return self.root / "costs"

    @property
    def rates(self) -> Path:
        """Return the file of how fast trials of this store were."""
        return self.root / "rates.jsonl"

    @property
    def kept(self) -> Path:
        """Return the folder that says which trials have kept states to go on from; losing it loses no result."""
        return self.root / "kept"

    @property
    def tune_dir(self) -> Path:
        """Return where Ray Tune keeps its own state."""
        return self.root / "tune"

    @property
    def database(self) -> Path:
        """Return the SQLite file of the embedded tracking store."""
        return self.root / DATABASE

    @property
    def tracking_uri(self) -> str:
        """Return the embedded tracking store's URI."""
        return f"sqlite:///{self.database}"

    @property
    def artifacts(self) -> Path:
        """Return where the embedded tracking store keeps artifacts."""
        return self.root / ARTIFACTS

    def prepare(self) -> None:
        """Create the store's folder; raise ``OperationError`` when it cannot be written or holds a damaged database."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.root, prefix=".probe-"):
                pass
        except OSError as error:
            raise self._unwritable(error) from error
        with contextlib.suppress(LockedDatabase):  # whoever needs it waits for it
            require_sound_database(self.database)

    def _unwritable(self, error: OSError) -> OperationError:
        reason = error.strerror or error
        return OperationError(
            f"cannot write to the store {self.root}: {reason}; name another folder by --store or {VARIABLE}"
        )

    @property
    def leases(self) -> Path:
        """Return the folder of leases: which job trains which trial."""
        return self.root / "leases"

    @property
    def lock(self) -> Path:
        """Return the lock file of runs."""
        return self.root / RUN_LOCK

    @contextlib.contextmanager
    def only_run(self) -> Iterator[None]:
        """Hold the store for this process.

        Raises ``OperationError`` while another one runs a study in it, and where the store cannot be written.
        """
        refusal = (
            f"another stillhouse run is using the store {self.root}; runs that are all started with --share train one study "
            "together"
        )
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(held_alone(self.lock, refusal))
            except NoFileLocks:
                stack.enter_context(self._leased_alone(refusal))
            except OSError as error:
                raise self._unwritable(error) from error
            yield

    @contextlib.contextmanager
    def shared_run(self) -> Iterator[Leases]:
        """Hold the store together with other jobs that share it, and return this job's leases.

        Files of the store that belong to no trial are written through this job's own lease. Raises ``OperationError``
        while a run has the store for itself.
        """
        refusal = f"a stillhouse run without --share is using the store {self.root}: wait for its end"
        with Leases(self.leases) as leases, contextlib.ExitStack() as stack:
            own = f"{JOB}{leases.token}"
            stack.callback(shutil.rmtree, self.leases / own, ignore_errors=True)
            fence = leases.claim(own)
            try:
                stack.enter_context(held_shared(self.lock, refusal))
            except NoFileLocks:
                if leases.is_alive(RUN):
                    raise OperationError(refusal) from None
            with self._fenced(fence):
                self._forget_killed_jobs(leases)
                try:
                    yield leases
                finally:
                    self._forget_killed_jobs(leases)

    def is_in_use(self) -> bool:
        """Return whether a run uses the store."""
        try:
            return is_held(self.lock)
        except NoFileLocks:
            leases = Leases(self.leases)
            return any(not leases.is_free(name) for name in (RUN, *leases.jobs()))
        except OSError:  # nothing can be read here
            return False

    def is_shared(self) -> bool:
        """Return whether runs use the store that share it."""
        leases = Leases(self.leases)
        return self.is_in_use() and any(not leases.is_free(job) for job in leases.jobs())

    def _forget_killed_jobs(self, leases: Leases) -> None:
        for job in filter(leases.is_abandoned, leases.jobs()):
            shutil.rmtree(self.leases / job, ignore_errors=True)

    @contextlib.contextmanager
    def _leased_alone(self, refusal: str) -> Iterator[None]:
        """Hold the store by a lease, where its file system has no locks."""
        with Leases(self.leases) as leases:
            if leases.is_alive(RUN) or (fence := leases.claim(RUN)) is None:
                raise OperationError(refusal)
            if any(leases.is_alive(job) for job in leases.jobs()):
                raise OperationError(refusal)
            with self._fenced(fence):
                yield

    @contextlib.contextmanager
    def _fenced(self, fence: Path | None) -> Iterator[None]:
        set_fence(self.root, fence)
        try:
            yield
        finally:
            set_fence(self.root, None)


class LockedDatabase(OperationError):
    """Report an SQLite file that another process holds: nothing can be said about it now."""


def require_sound_database(path: Path) -> None:
    """Raise ``OperationError`` when an SQLite file is damaged or no file, ``LockedDatabase`` when it cannot be read now.

    One that is not there yet is sound.
    """
    if not path.exists():
        return
    try:
        with reading(path) as connection:
            [found] = connection.execute("pragma quick_check(1)").fetchone()
            tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise LockedDatabase(f"the tracking database {path} is locked by another process") from error
        found, tables = str(error), set()
    if found != "ok":
        raise OperationError(f"the tracking database {path} is damaged: {found.splitlines()[-1]}")
    if tables and tables.isdisjoint(MLFLOWS_TABLES):
        raise OperationError(f"{path} is not MLflow's but some other program's database: give tracking another file")
