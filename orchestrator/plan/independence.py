"""Tell whether each trial of a study can be trained without knowing the results of the others."""

from orchestrator.core.errors import UserError
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import Fifo, Search
from orchestrator.study.space import is_open


def require_independent(loaded: LoadedStudy, option: str) -> None:
    """Raise ``UserError`` where one run has to see all results of a study, so that ``option`` cannot be given."""
    found = _deciding(loaded.study.search)
    if found is not None:
        key, effect = found
        raise UserError(f"{loaded.where(f'search.{key}')} {effect}, so one run has to train all trials: omit {option}")


def is_independent(search: Search) -> bool:
    """Return whether several runs may each train a part of the trials."""
    return _deciding(search) is None


def _deciding(search: Search) -> tuple[str, str] | None:
    """Return the key by which results decide about other trials, and how; ``None`` where they do not."""
    if is_open(search):
        return "algorithm", f"({search.algorithm.kind}) proposes trials from the results of others"
    if search.racing is not None:
        return "racing", "decides by results which points get further seeds"
    if not isinstance(search.scheduler, Fifo):
        return "scheduler", f"({search.scheduler.kind}) stops trials by the results of others"
    for key in ("max_gpu_hours", "max_hours", "stop_when"):
        if getattr(search, key) is not None:
            return key, "ends the study by all of its trials"
    return None
