"""Draw a reproduction as the paper's supplement does: AP over the epochs, and detections on the same images."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.figures import data as figure
from orchestrator.reports.figures.canvas import write_figure
from orchestrator.reports.figures.training_curves import Panel, draw_training_curves, panels_of
from orchestrator.reports.predict import Wanted, predict_shared
from orchestrator.reproduce.pairs import ROW, DetectorPair, pairs_of
from orchestrator.reproduce.plan import RunPlan, distinct, merged
from orchestrator.reproduce.results import Results
from orchestrator.results.rows import best_of
from orchestrator.results.trial import is_final
from orchestrator.study.wording import counted
from orchestrator.tracking.curves import Curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TRAINING_CURVES, PREDICTIONS = "phases", "predictions"


@dataclass(frozen=True)
class Style:
    """Hold the folder, format, images and score thresholds of figures."""

    folder: Path
    ending: str
    images: Wanted
    thresholds: Sequence[float]


@dataclass(frozen=True)
class Drawn:
    """Name the written files with their captions, and list missing figures."""

    files: Mapping[Path, str]
    missing: tuple[str, ...]


def draw_figures(run_plan: RunPlan, results: Results, store: Store, style: Style) -> Drawn:
    """Draw the finished trials of each pair of student and teacher; trains nothing.

    One file has AP over the epochs, a panel a pair; each pair has a file with predictions. A pair without a finished
    trial alone, or without a finished distilled one, is said and not drawn. Raises ``OperationError`` when a file cannot
    be written or MLflow refuses.
    """
    pairs = pairs_of(run_plan)
    ended = [_finished(pair, results) for pair in pairs]
    whole = {number: pair for number, pair in enumerate(ended, start=1) if pair.alone and pair.taught}
    missing = [line for pair in pairs for line in _lacking(run_plan, pair, results)]
    files = _training_curves(run_plan, list(whole.values()), store, style)
    for number, pair in whole.items():
        try:
            page = _page(run_plan, pair, results, store, style)
        except (OperationError, UserError) as error:
            missing.append(f"{pair.name}: no predictions: {error}")
            continue
        files |= _write(page, f"{PREDICTIONS}-{number}-{_slug(pair)}", style, f"predictions, {pair.name}")
    return Drawn(files, tuple(missing or ([] if pairs else ["no row is distilled: nothing to compare"])))


def _finished(pair: DetectorPair, results: Results) -> DetectorPair:
    def ended(trials: Iterable[PlannedTrial]) -> tuple[PlannedTrial, ...]:
        return tuple(trial for trial in trials if _is_finished(trial, results))

    teaches = pair.teaches if pair.teaches and _is_finished(pair.teaches, results) else None
    return replace(pair, alone=ended(pair.alone), taught=ended(pair.taught), teaches=teaches)


def _is_finished(trial: PlannedTrial, results: Results) -> bool:
    return trial.id in results and is_final(results[trial.id])


def _lacking(run_plan: RunPlan, pair: DetectorPair, results: Results) -> list[str]:
    """Return a line for each row of a pair of which not all trials are finished, and for a student nobody trains alone."""
    seeds: dict[str, list[bool]] = {}
    for trial in (*pair.alone, *pair.taught):
        seeds.setdefault(run_plan.source(trial).name, []).append(_is_finished(trial, results))
    lines = [
        f"{pair.name}: finished of {name}: {sum(ended)} of {counted(len(ended), 'trial')}"
        for name, ended in seeds.items()
        if not all(ended)
    ]
    return lines if pair.alone else [*lines, f"{pair.name}: no row trains this student alone"]


def _training_curves(run_plan: RunPlan, pairs: Sequence[DetectorPair], store: Store, style: Style) -> dict[Path, str]:
    """Write the figure of AP over the epochs, unless there is nothing to draw."""
    panels = panels_of_pairs(run_plan, pairs, store)
    if not panels:
        return {}
    full = run_plan.options.fidelity == "full"
    title = "AP over the epochs" + ("" if full else f", fidelity {run_plan.options.fidelity}")
    return _write(lambda: draw_training_curves(panels, title), TRAINING_CURVES, style, title)


def panels_of_pairs(run_plan: RunPlan, pairs: Sequence[DetectorPair], store: Store) -> list[Panel]:
    """Return a panel for each pair that was evaluated, from MLflow, or from the directories when it is away."""
    trials = distinct(trial for pair in pairs for trial in (*pair.alone, *pair.taught))
    curves: dict[str, Mapping[int, float]] = {}
    for plan in merged(run_plan, trials, TRAINING_CURVES):
        curves |= figure.curves_of(plan, store)
    return [panel for pair in pairs for panel in _panels(run_plan, pair, curves)]


def _panels(run_plan: RunPlan, pair: DetectorPair, curves: Curves) -> list[Panel]:
    """Return the pair's panel, none when nothing was evaluated."""
    plan = _plan(run_plan, pair, (*pair.alone, *pair.taught))
    of_table = f"{', '.join(pair.tables)}: {pair.student}".removeprefix(": ")
    return [replace(panel, student=of_table, subtitle=f"from {pair.teacher}") for panel in panels_of(plan, curves)]


def _page(
    run_plan: RunPlan, pair: DetectorPair, results: Results, store: Store, style: Style
) -> "Callable[[], Figure]":
    """Run the pair's teacher and the best trial of each of its rows, and return a figure of their detections."""
    columns = _columns(pair, results)
    plan, wanted = _plan(run_plan, pair, columns), style.images
    kept_by = predict_shared(plan, store, columns, wanted)
    count = wanted.limits.images if wanted.image_ids is None else len(wanted.image_ids)
    return figure.predictions(plan, store, [trial.id for trial in columns], count, style.thresholds, kept_by)


def _columns(pair: DetectorPair, results: Results) -> list[PlannedTrial]:
    """Return the teacher and the best trial of each row; a teacher that is the student alone stands there once."""
    students = [*_best(pair.alone, results), *_best(pair.taught, results)]
    if pair.teaches is None or pair.teaches.id in {trial.id for trial in students}:
        return students
    return [pair.teaches, *students]


def _best(trials: Sequence[PlannedTrial], results: Results) -> list[PlannedTrial]:
    """Return the best trial of each method and row, the first where none has a number."""
    rows: dict[tuple[str, object], dict[str, PlannedTrial]] = {}
    for trial in trials:
        rows.setdefault((trial.spec.method.kind, trial.params.get(ROW)), {})[trial.id] = trial
    best = [(row, best_of(results[trial_id] for trial_id in row)) for row in rows.values()]
    return [row[found.id] if found else next(iter(row.values())) for row, found in best]


def _write(draw: "Callable[[], Figure]", name: str, style: Style, shows: str) -> dict[Path, str]:
    path = style.folder / f"{name}.{style.ending}"
    style.folder.mkdir(parents=True, exist_ok=True)
    write_figure(draw, path)
    return {path: shows}


def _plan(run_plan: RunPlan, pair: DetectorPair, trials: Sequence[PlannedTrial]) -> Plan:
    """Return a plan of these trials for reading; it uses the tracking store of the first distilled one."""
    return replace(run_plan.source(pair.taught[0]).plan, teachers=(), students=tuple(trials), suggested=[])


def _slug(pair: DetectorPair) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", f"{pair.student} from {pair.teacher}")
