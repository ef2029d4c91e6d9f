"""Gather a figure's data from MLflow."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.results.metric_names import title_of
from orchestrator.results.summary import lacks_best
from orchestrator.results.trial import is_final
from orchestrator.study.selection import is_fraction
from orchestrator.tracking.client import open_results
from orchestrator.tracking.curves import Curves, curves_on_disk, read_curves
from orchestrator.tracking.lacking import study_is_deleted
from orchestrator.tracking.predictions import find_study, read_index, read_picture, read_predictions
from orchestrator.tracking.reading import TrialResults, read_study
from trainers.schema.record import SELECTION_METRIC

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_curves(plan: Plan, store: Store) -> "Callable[[], Figure]":
    """Return the data of the study's metric over epochs; raise ``OperationError`` when no student is finished."""
    return training_curves_of(plan, read_study(plan, store))


def training_curves_of(plan: Plan, found: TrialResults) -> "Callable[[], Figure]":
    """Return the same of a study that was read before."""
    from orchestrator.reports.figures.training_curves import draw_training_curves, panels_of

    final = {result.id for result in found.results if is_final(result)}
    metric = plan.study.search.metric
    scores = {result.id: result.best[metric] for result in found.results if metric in result.best}
    drawn = {trial: curve for trial, curve in _curves(plan, found, metric).items() if trial in final}
    panels = panels_of(plan, drawn, scores)
    if not panels:
        raise OperationError(lacks_best(found.results))
    title = title_of(metric)
    amount = f"{title} (%)" if is_fraction(metric) else title
    return lambda: draw_training_curves(panels, f"{plan.study.name}: {title} over the epochs", amount)


def curves_of(plan: Plan, store: Store) -> Curves:
    """Return AP over the epochs of the plan's trials, from their directories where those know more than MLflow."""
    return _curves(plan, read_study(plan, store), SELECTION_METRIC)


def _curves(plan: Plan, found: TrialResults, metric: str) -> Curves:
    recorded = read_curves(found.client, found.runs, metric) if found.client else {}
    return {**recorded, **curves_on_disk((trial for trial in plan.trials if trial.id not in found.runs), metric)}


def predictions(
    plan: Plan, store: Store, trials: Sequence[str], images: int, thresholds: Sequence[float], kept_by: str = ""
) -> "Callable[[], Figure]":
    """Return the first ``images`` images with detections of ``trials``, by default of all that have any.

    ``kept_by`` is the fingerprint of the study whose run keeps the images, if it is not the plan's own.
    Raises ``UserError`` for a trial that has not looked at them, ``OperationError`` when nobody has.
    """
    from orchestrator.reports.figures.predictions import PredictedImage, draw_predictions

    client = open_results(plan, store)
    study = find_study(client, kept_by or plan.fingerprint)
    index = read_index(client, study) if study else None
    if study is None or index is None:
        deleted = "" if study else study_is_deleted(plan, store, client, kept_by or plan.fingerprint)
        raise OperationError(deleted or f"{plan.study.name} has no recorded predictions yet: run stillhouse predict")
    columns = _columns(plan, index.trials, trials)
    shown = [
        PredictedImage(
            picture,
            read_picture(client, study, picture),
            tuple(read_predictions(client, trial, picture.key) for trial in columns),
        )
        for picture in index.images[:images]
    ]
    names = [index.trials[trial] for trial in columns]
    return lambda: draw_predictions(shown, names, index.classes, thresholds)


def _columns(plan: Plan, looked: dict[str, str], wanted: Sequence[str]) -> list[str]:
    """Return trial ids in the plan's order, or in the order of ``wanted``, by their first digits."""
    if not wanted:
        return [trial.id for trial in plan.trials if trial.id in looked]
    found = []
    for name in wanted:
        alike = [trial for trial in looked if trial.startswith(name)]
        if len(alike) != 1:
            known = ", ".join(looked)
            raise UserError(f"{'no' if not alike else 'more than one'} trial that looked begins with {name}: {known}")
        found += alike
    return found
