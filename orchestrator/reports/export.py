"""Find the student that is to be exported, in the store, or in MLflow where the store is elsewhere."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.plan.named import named
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.result import TrialResult
from orchestrator.results.summary import best_student, lacks_best
from orchestrator.tracking.artifacts import download_student
from orchestrator.tracking.client import open_results
from orchestrator.tracking.reading import read_study
from trainers.schema.manifest import require_whole
from trainers.schema.record import BEST, CONFIG, DamagedFile

BEST_OF_STUDY = "best"


def require_absent(paths: Iterable[Path], *, replace: bool) -> None:
    """Raise ``UserError`` when some of the files exist and may not be replaced."""
    present = [str(path) for path in paths if path.exists()]
    if present and not replace:
        raise UserError(f"{' and '.join(present)} exist already: pass --force to replace them")


def require_undamaged(trial: PlannedTrial) -> None:
    """Raise ``OperationError`` when the trial's best student in the store has changed since it was written."""
    try:
        require_whole(trial.directory / BEST)
    except DamagedFile as error:
        raise OperationError(str(error)) from error


def choose(plan: Plan, store: Store, wanted: str) -> PlannedTrial:
    """Return the trial that ``wanted`` names: an id, its first digits, or ``best``."""
    return named(plan, best_id(read_study(plan, store).results) if wanted == BEST_OF_STUDY else wanted)


def best_id(results: Sequence[TrialResult]) -> str:
    """Return the id of the best student; raise ``OperationError`` when there is none."""
    best = best_student(results)
    if best is None:
        raise OperationError(lacks_best(results))
    return best.id


def student_files(plan: Plan, store: Store, trial: PlannedTrial, scratch: Path) -> Path:
    """Return a folder that holds the trial's config and best checkpoint."""
    if all((trial.directory / name).exists() for name in (CONFIG, BEST)):
        return trial.directory
    return download_student(open_results(plan, store), trial.id, scratch)
