"""Note in trials' directories who was trained beside them, and read it."""

import os
from collections.abc import Sequence
from pathlib import Path

from orchestrator.plan.plan import Plan
from trainers.schema import Job

COHORTS, BEGAN, HOST = "cohorts", "began", "host"


def note_cohort(jobs: Sequence[Job]) -> None:
    """Note one cohort: a line of trial ids in each directory, and the process."""
    for job in jobs:
        Path(job.directory).mkdir(parents=True, exist_ok=True)
        with (Path(job.directory) / COHORTS).open("a") as file:
            file.write(" ".join(one.trial_id for one in jobs) + "\n")
        (Path(job.directory) / HOST).write_text(str(os.getpid()))


def noted_cohorts(plan: Plan) -> list[list[str]]:
    """Return the cohorts in which a plan's students were trained, each once, as trial ids."""
    files = [trial.directory / COHORTS for trial in plan.trials]
    lines = [line for file in files if file.exists() for line in file.read_text().splitlines()]
    return [line.split() for line in dict.fromkeys(lines)]


def noted_hosts(plan: Plan) -> set[str]:
    """Return the processes that have trained a plan's trials."""
    return {(trial.directory / HOST).read_text() for trial in plan.trials}
