"""Hold a trial to the files that its id stands for."""

from pathlib import Path

from trainers.errors import TrialError
from trainers.schema import Job
from trainers.schema.digest import file_digest


def require_unchanged(job: Job) -> None:
    """Raise ``TrialError`` when a file has changed since the trial was planned.

    A study trains for hours, and people edit files meanwhile. Missing files fail where they are read.
    """
    for name, digest in job.inputs.items():
        path = Path(name)
        if path.is_file() and file_digest(path) != digest:
            raise TrialError(f"{path} has changed since the study was planned: run again, and it is another trial")
