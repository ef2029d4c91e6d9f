"""Draw the pictures of a report's page: curves over the epochs, and detections where some are recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.core.errors import OperationError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.reports.figures.canvas import figure_bytes
from orchestrator.reports.figures.data import predictions, training_curves_of
from orchestrator.results.summary import best_student
from orchestrator.tracking.predictions import find_study, read_index
from orchestrator.tracking.reading import TrialResults

IMAGES, SCORE = 3, 0.3
MOST_COLUMNS = 5  # trials beside each other: more would be too small to see


@dataclass(frozen=True)
class PagePicture:
    """Hold a picture as the bytes of a file of ``media_type``; ``text`` describes it."""

    media_type: str
    content: bytes
    text: str


def page_pictures(plan: Plan, store: Store, found: TrialResults) -> list[PagePicture]:
    """Return the pictures that the study has material for; a study without results has none."""
    return [*_curves(plan, found), *_predictions(plan, store, found)]


def _curves(plan: Plan, found: TrialResults) -> Iterator[PagePicture]:
    try:
        draw = training_curves_of(plan, found)
    except OperationError:  # no student is finished
        return
    text = "AP over the epochs: the student trained alone, and of each method the point with the highest mean AP."
    yield PagePicture("image/svg+xml", figure_bytes(draw, "svg"), text)


def _predictions(plan: Plan, store: Store, found: TrialResults) -> Iterator[PagePicture]:
    trials = _looked(plan, found)
    if not trials:
        return
    draw = predictions(plan, store, trials, IMAGES, (SCORE,))
    text = f"Objects, and boxes with scores from {SCORE:g} on: right ones green and solid, wrong ones red and dashed."
    yield PagePicture("image/jpeg", figure_bytes(draw, "jpg"), text)


def _looked(plan: Plan, found: TrialResults) -> Sequence[str]:
    """Return the trials with predictions in the plan's order; of many the first ones, and the best student."""
    study = find_study(found.client, plan.fingerprint) if found.client is not None else None
    index = read_index(found.client, study) if found.client is not None and study is not None else None
    if index is None:
        return ()
    best = best_student(found.results)
    known = [trial.id for trial in plan.trials if trial.id in index.trials]
    chosen = sorted(known, key=lambda trial: best is None or trial != best.id)[:MOST_COLUMNS]
    return [trial for trial in known if trial in chosen]
