"""Copy trials' directories to object storage and back, so that results and states outlive the cluster's disks."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.storage.backend import StorageBackend, StorageUnavailable
from trainers.schema.atomic import flush_file, flush_folder, partial_of
from trainers.schema.digest import file_digest
from trainers.schema.foreign_json import parse_json
from trainers.schema.record import OUTCOME, PROGRESS
from trainers.schema.request import REQUEST
from trainers.schema.state_files import state_files
from trainers.schema.stop import STOP

INDEX = "index.json"
NOT_COPIED = frozenset({PROGRESS, STOP, REQUEST})  # they mean something to running processes only
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


@dataclass
class Mirror:
    """Hold copies of trials below ``backend``, one folder a trial.

    A file lies there under its digest, and the folder's index, written last, lists the digests of the trial. Readers
    always see a consistent snapshot, even if a copy is interrupted. Copying unchanged files costs no transfer.
    """

    backend: StorageBackend
    _known: dict[str, dict[str, str]] = field(default_factory=dict)

    def keep(self, directory: Path) -> None:
        """Copy a trial's files as they are now; raises ``StorageUnavailable``, and may be repeated."""
        trial = directory.name
        before = self._index(trial)
        now = {}
        for path in files_of(directory):
            try:
                now[path.name] = self._put(path, trial, before)
            except FileNotFoundError:  # an old state, removed in between
                continue
        if now != before:
            self.backend.write(json.dumps(now, indent=1, sort_keys=True).encode(), f"trials/{trial}/{INDEX}")
            self._known[trial] = now
            for digest in set(before.values()) - set(now.values()):
                self.backend.delete(f"trials/{trial}/{digest}")

    def _put(self, path: Path, trial: str, there: dict[str, str]) -> str:
        """Copy a file and return its digest; one that changes meanwhile is copied again."""
        while (digest := file_digest(path)) not in there.values():
            self.backend.put(path, f"trials/{trial}/{digest}")
            if file_digest(path) == digest:
                break
            self.backend.delete(f"trials/{trial}/{digest}")
        return digest

    def bring(self, directory: Path) -> bool:
        """Fill a trial's directory that is not here from its copy; tell whether there was one.

        The outcome comes last, as where the trial was trained: a directory that was brought halfway is an unfinished trial.
        Raises ``StorageUnavailable``, also for a copy whose content differs from its index.
        """
        index = self._index(directory.name)
        if directory.exists() or not index:
            return False
        arriving = directory.with_name(f".{directory.name}.arriving")
        arriving.mkdir(parents=True, exist_ok=True)
        for name in sorted(index, key=lambda name: name == OUTCOME):
            self._fetch(directory.name, index[name], arriving / name)
        flush_folder(arriving)
        arriving.replace(directory)
        flush_folder(directory.parent)
        return True

    def _fetch(self, trial: str, digest: str, file: Path) -> None:
        if file.exists() and file_digest(file) == digest:
            return
        self.backend.get(f"trials/{trial}/{digest}", partial_of(file))
        if file_digest(partial_of(file)) != digest:
            raise StorageUnavailable(
                f"the copy of {trial}/{file.name} in {self.backend.address} is damaged: delete that trial there"
            )
        flush_file(partial_of(file))
        partial_of(file).replace(file)

    def _index(self, trial: str) -> dict[str, str]:
        if trial not in self._known:
            content = self.backend.read(f"trials/{trial}/{INDEX}")
            self._known[trial] = parsed(content) if content else {}
        return self._known[trial]


def parsed(content: bytes) -> dict[str, str]:
    """Parse an index; leaves out names that could lead out of the folder, and anything that is not an index."""
    try:
        found = parse_json(content)
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: digest
        for name, digest in found.items()
        if NAME.fullmatch(name) and isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest)
    }


def files_of(directory: Path) -> list[Path]:
    """Return a trial's files that are worth a copy: states for other trials are not, who lacks one trains by itself."""
    found = [path for path in directory.iterdir() if path.is_file() and NAME.fullmatch(path.name)]
    passing = {path for _, path in state_files(directory)}
    return sorted(path for path in found if path.name not in NOT_COPIED and path not in passing)
