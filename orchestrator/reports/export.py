"""Copy a trial's student out of the store, or out of MLflow where the store is elsewhere."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.summary import best_student, lacks_best
from orchestrator.tracking.artifacts import download_student
from orchestrator.tracking.client import open_results
from orchestrator.tracking.reading import read_study
from trainers.schema.manifest import require_whole
from trainers.schema.record import BEST, CONFIG, DamagedFile

STUDENT = "student.pth"


@dataclass(frozen=True)
class Exported:
    """Name the written files."""

    trial_id: str
    config: Path
    checkpoint: Path


def export_student(plan: Plan, store: Store, wanted: str, target: Path, *, replace: bool) -> Exported:
    """Write ``config.py`` and ``student.pth`` of a trial's best epoch into ``target``, both or none.

    ``wanted`` is a trial id, its first digits, or ``best``. Raises ``UserError`` when there is no such trial or when
    files would be overwritten, ``OperationError`` when the trial has no student yet.
    """
    trial = choose(plan, store, wanted)
    files = {CONFIG: target / CONFIG, BEST: target / STUDENT}
    present = [str(path) for path in files.values() if path.exists()]
    if present and not replace:
        raise UserError(f"{' and '.join(present)} exist already: pass --force to replace them")
    require_undamaged(trial)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".export-") as partial:
            source = student_files(plan, store, trial, Path(partial))
            for name in files:
                shutil.copyfile(source / name, Path(partial) / f"{name}.copy")
            for name, path in files.items():
                (Path(partial) / f"{name}.copy").replace(path)
    except OSError as error:
        raise OperationError(f"cannot write to {target}: {error.strerror or error}") from error
    return Exported(trial.id, files[CONFIG], files[BEST])


def require_undamaged(trial: PlannedTrial) -> None:
    """Raise ``OperationError`` when the trial's best student in the store has changed since it was written."""
    try:
        require_whole(trial.directory / BEST)
    except DamagedFile as error:
        raise OperationError(str(error)) from error


def choose(plan: Plan, store: Store, wanted: str) -> PlannedTrial:
    """Return the trial that ``wanted`` names."""
    if wanted == "best":
        results = read_study(plan, store).results
        best = best_student(results)
        if best is None:
            raise OperationError(lacks_best(results))
        wanted = best.id
    found = [trial for trial in plan.trials if trial.id.startswith(wanted)]
    if len(found) != 1:
        known = ", ".join(trial.id for trial in plan.trials)
        raise UserError(f"{'no' if not found else 'more than one'} trial begins with {wanted}; the study has {known}")
    return found[0]


def student_files(plan: Plan, store: Store, trial: PlannedTrial, scratch: Path) -> Path:
    """Return a folder that holds the trial's config and best checkpoint."""
    if all((trial.directory / name).exists() for name in (CONFIG, BEST)):
        return trial.directory
    return download_student(open_results(plan, store), trial.id, scratch)
