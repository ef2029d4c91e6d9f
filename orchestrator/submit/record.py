"""Keep a submission's own record in the store: Ray's word about a job is lost with its head, and not always true."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.submit.states import SubmissionState
from trainers.schema.atomic import write_text
from trainers.schema.foreign_json import parse_json

FOLDER = "submissions"  # of the store


@dataclass(frozen=True)
class JobRecord:
    """Hold a driver's record of its own state. Times are in seconds since 1970; ``heard`` is its last sign of life."""

    id: str
    study: str
    state: SubmissionState
    reason: str
    host: str
    started: float
    heard: float = field(default_factory=time.time)

    def to_json(self) -> dict[str, Any]:
        """Return the record as it is in the store."""
        return asdict(self)


class JobRecords:
    """Read and write the records below one store's folder, which may not be there or not be seen from here."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER

    def write(self, record: JobRecord) -> None:
        """Write a record, whole or not at all; raises ``OSError``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.folder / f"{record.id}.json", json.dumps(record.to_json(), indent=1))

    def read(self, attempt_id: str) -> JobRecord | None:
        """Return the record of an attempt, ``None`` where there is none or it is not one."""
        try:
            content = parse_json((self.folder / f"{attempt_id}.json").read_text())
            return JobRecord(**{**content, "state": SubmissionState(content["state"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def ids(self) -> list[str]:
        """Return the ids of all attempts that left a record."""
        return sorted(path.stem for path in self.folder.glob("*.json"))
