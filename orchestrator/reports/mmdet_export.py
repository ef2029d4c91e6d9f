"""Export a trial's student for mmdet: config, checkpoint, annotations and model card."""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.plan.named import named
from orchestrator.plan.plan import Plan
from orchestrator.reports.card_facts import card_facts
from orchestrator.reports.export import (
    BEST_OF_STUDY,
    best_id,
    require_absent,
    require_undamaged,
    student_files,
)
from orchestrator.reports.model_card import CARD, model_card
from orchestrator.reports.papers import PAPERS, write_papers
from orchestrator.reports.plain_files import STUDENT, names_of, write_plain_files
from orchestrator.tracking.reading import TrialResults, read_study
from trainers.schema.record import CONFIG


@dataclass(frozen=True)
class Exported:
    """Name the written files; ``annotations`` are those of the splits that measure, ``notes`` say which are lacking."""

    trial_id: str
    config: Path
    checkpoint: Path
    card: Path
    papers: Path
    annotations: dict[str, Path]
    notes: tuple[str, ...]


def export_student(
    plan: Plan, store: Store, wanted: str, target: Path, *, replace: bool, words: Sequence[str] = ()
) -> Exported:
    """Write a trial's best student into ``target`` as files of mmdet's own, with a model card, all or none.

    ``wanted`` is a trial id, its first digits, or ``best``; ``words`` name the study, with its options, in the commands
    of the card. Raises ``UserError`` when there is no such trial or when files would be overwritten, ``OperationError``
    when the trial has no student yet.
    """
    found = read_study(plan, store) if wanted == BEST_OF_STUDY else None
    trial = named(plan, wanted if found is None else best_id(found.results))
    names = (*names_of(trial.spec.dataset), CARD, PAPERS)
    require_absent((target / name for name in names), replace=replace)
    require_undamaged(trial)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".export-") as partial:
            made, fetched = Path(partial) / "made", Path(partial) / "fetched"
            for folder in (made, fetched):
                folder.mkdir()
            written = write_plain_files(trial.spec, student_files(plan, store, trial, fetched), made)
            found, note = _results(plan, store, found)
            (made / CARD).write_text(model_card(card_facts(plan, trial, found, made, words)), encoding="utf-8")
            own = next((one for one in (found.results if found else ()) if one.id == trial.id), None)
            write_papers(plan, trial, own.metrics if own else {}, made)
            _replace(names, made, target)
    except OSError as error:
        raise OperationError(f"cannot write to {target}: {error.strerror or error}") from error
    annotations = {split: target / name for split, name in written.annotations.items()}
    notes = (*written.lacking, *note)
    return Exported(trial.id, target / CONFIG, target / STUDENT, target / CARD, target / PAPERS, annotations, notes)


def _results(plan: Plan, store: Store, found: TrialResults | None) -> tuple[TrialResults | None, tuple[str, ...]]:
    """Return the study's results, or a note where they cannot be read."""
    try:
        return found or read_study(plan, store), ()
    except (OperationError, UserError) as error:
        return None, (f"{CARD} and {PAPERS} have no results: {error}",)


def _replace(names: Iterable[str], made: Path, target: Path) -> None:
    """Move the made files into ``target``; one of an earlier export that was not made again goes."""
    for name in names:
        if (made / name).exists():
            (made / name).replace(target / name)
        else:
            (target / name).unlink(missing_ok=True)
