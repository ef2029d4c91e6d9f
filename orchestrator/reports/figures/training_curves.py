"""Draw AP, or the metric that a study selects by, over the epochs with and without distillation, one panel a student (the supplement's figure A1)."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orchestrator.core.numbers import is_number
from orchestrator.core.printable import printable
from orchestrator.plan.labels import point_text
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.figures.canvas import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION
from orchestrator.reports.rows import student_name
from orchestrator.results.sample import sample_of
from orchestrator.study.selection import is_fraction, merit
from orchestrator.tracking.curves import Curves

COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
MARKS = ("o", "s", "^", "D", "v", "P")
ALONE, ROW = "none", "row"
PANEL_INCHES = (3.2, 3.0)
COLUMNS = 3


@dataclass(frozen=True)
class TrainingCurve:
    """Hold a metric, of AP in percent, at epochs that all seeds have: mean, and sample standard deviation (0 for a single seed).

    ``row`` is the row of the paper that the trials belong to, where several are drawn at once; ``best`` is the mean of
    the seeds' best epochs, as tables show it, so that higher is better.
    """

    method: str
    label: str
    epochs: tuple[int, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    row: str = ""
    best: float = 0.0


@dataclass(frozen=True)
class Panel:
    """Hold one student's curves: alone first, then of each method the point with the best mean of best epochs.

    ``subtitle`` holds further distinctions from other panels, such as the teacher.
    """

    student: str
    curves: tuple[TrainingCurve, ...]
    subtitle: str = ""


def panels_of(plan: Plan, curves: Curves, scores: Mapping[str, float] = MappingProxyType({})) -> list[Panel]:
    """Return a panel for each student that has a curve, in the plan's order.

    ``scores`` are the metric at the best epochs by trial; of AP its highest value is that.
    """
    metric = plan.study.search.metric
    groups: dict[str, dict[tuple[str, str], list[PlannedTrial]]] = {}
    for trial in plan.students:
        if curves.get(trial.id):
            of_student = groups.setdefault(student_name(trial.spec.student), {})
            of_student.setdefault((trial.spec.method.kind, point_text(trial.params)), []).append(trial)
    return [Panel(student, tuple(_best(_curves(points, curves, scores, metric)))) for student, points in groups.items()]


def _curves(
    points: Mapping[tuple[str, str], Sequence[PlannedTrial]],
    curves: Curves,
    scores: Mapping[str, float],
    metric: str,
) -> list[TrainingCurve]:
    found, scale = [], 100.0 if is_fraction(metric) else 1.0
    for (method, point), trials in points.items():
        seeds = [{epoch: v for epoch, v in curves[trial.id].items() if is_number(v)} for trial in trials]
        epochs = sorted(set.intersection(*(set(seed) for seed in seeds)))
        samples = list(filter(None, (sample_of(scale * seed[epoch] for seed in seeds) for epoch in epochs)))
        if epochs:
            found.append(
                TrainingCurve(
                    method=method,
                    label=f"{method} {point}".strip() + (f", {len(seeds)} seeds" if len(seeds) > 1 else ""),
                    epochs=tuple(epochs),
                    mean=tuple(sample.mean for sample in samples),
                    spread=tuple(sample.spread or 0.0 for sample in samples),
                    row=str(trials[0].params.get(ROW, "")),
                    best=statistics.fmean(
                        merit(metric, scale * scores.get(trial.id, max(seed.values())))
                        for trial, seed in zip(trials, seeds, strict=True)
                    ),
                )
            )
    return found


def _best(curves: Sequence[TrainingCurve]) -> list[TrainingCurve]:
    kinds = sorted(dict.fromkeys(map(_kind, curves)), key=lambda kind: kind[0] != ALONE)
    return [max((c for c in curves if _kind(c) == kind), key=lambda c: c.best) for kind in kinds]


def draw_training_curves(panels: Sequence[Panel], title: str, amount: str = "AP (%)") -> Figure:
    """Return the figure; ``amount`` says what goes up its axes. Lines are told apart by colour and by mark, spread over seeds is a band."""
    columns = min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(columns * PANEL_INCHES[0], lines * PANEL_INCHES[1] + 0.3), layout="constrained")
    figure.suptitle(printable(title))
    places = figure.subplots(lines, columns, squeeze=False).flatten()
    taught = list(dict.fromkeys(_kind(curve) for panel in panels for curve in panel.curves if curve.method != ALONE))
    for axes, panel in zip(places, panels, strict=False):
        _draw_panel(axes, panel, taught, amount)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    return figure


def _kind(curve: TrainingCurve) -> tuple[str, str]:
    """Return the key that has one colour in all panels."""
    return curve.method, curve.row


def _draw_panel(axes: Axes, panel: Panel, taught: Sequence[tuple[str, str]], amount: str) -> None:
    axes.set_title("\n".join(printable(line) for line in (panel.student, panel.subtitle) if line), fontsize=7)
    axes.set_xlabel("epoch")
    axes.set_ylabel(amount)
    for curve in panel.curves:
        alone = curve.method == ALONE
        place = 0 if alone else taught.index(_kind(curve))
        colour = BLACK if alone else COLOURS[place % len(COLOURS)]
        mark, dashes = ("x", "--") if alone else (MARKS[place % len(MARKS)], "-")
        axes.plot(
            curve.epochs, curve.mean, color=colour, marker=mark, linestyle=dashes, markersize=3, linewidth=1,
            label=printable(curve.label),
        )  # fmt: skip
        if any(curve.spread):
            low, high = ([m + sign * s for m, s in zip(curve.mean, curve.spread, strict=True)] for sign in (-1, 1))
            axes.fill_between(curve.epochs, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.legend(fontsize=6, frameon=False, loc="upper left", bbox_to_anchor=(0.0, -0.18), ncols=2)
