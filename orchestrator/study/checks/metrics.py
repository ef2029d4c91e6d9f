"""Check that the metrics of a search are ones that its trials will record, as far as that is known before training."""

import math
from collections.abc import Iterator

from orchestrator.study.checks.context import Context
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.schema import StopWhen
from orchestrator.study.selection import LOSSES, TITLES, falls, is_fraction, selectable
from orchestrator.study.wording import alternatives, closest, counted, inline
from trainers.schema.class_metrics import PREFIX as CLASS_AP
from trainers.schema.class_metrics import class_metric
from trainers.schema.dataset import class_names
from trainers.schema.heads import find_head
from trainers.schema.method import terms_of
from trainers.schema.terms import TermSection, term_name
from trainers.schema.zoo import find_config

TOTAL = f"{LOSSES}total"
RATIO, SHARE, WEIGHT, FOCUS = "ratio/", "grad_share/", "weight/", "focus/"  # of terms, recorded with each epoch
NAMED = 6  # classes that a message lists
DETECTION = f"{SHARE}detection"
RATE = "lr"
MMDETS = "loss_"  # how mmdet's names of losses begin
NOT_RECORDED = {
    RATIO: "no method of it has terms",
    SHARE: "no method of it has terms",
    WEIGHT: "no weight of a term changes in training (from, until, ramp and grad_share change it)",
    FOCUS: "no term of it weighs anchors",
}


def check_metric(context: Context) -> Iterator[Problem]:
    """Yield a metric to compare by that no trial of the study records."""
    known = [*selectable(context.study.dataset), *_losses(context)]
    yield from _unknown(context, ("search", "metric"), context.study.search.metric, known)


def check_goal(context: Context) -> Iterator[Problem]:
    """Yield a goal whose metric no trial records, and one that the metric never comes to."""
    goal = context.study.search.stop_when
    if goal is None:
        return
    path: KeyPath = ("search", "stop_when", "metric")
    if falls(goal.metric):
        message = (
            f"less of {inline(goal.metric)} is better, and a metric rises to its goal: choose an average precision"
        )
        yield Problem(path, message)
        return
    known = [*selectable(context.study.dataset), *_of_terms(context), RATE]
    unknown = list(_unknown(context, path, goal.metric, known))
    yield from unknown
    least, most = _bounds(context, goal.metric)
    if not unknown and not least <= goal.at_least <= most:
        message = f"{goal.metric} {_lies(least, most)}, got {goal.at_least:g}{_percent(goal)}"
        rests_on = (path, *_sources(goal.metric))
        yield Problem(("search", "stop_when", "at_least"), message, rests_on=rests_on)


def _lies(least: float, most: float) -> str:
    return f"is never below {least:g}" if math.isinf(most) else f"lies between {least:g} and {most:g}"


def _percent(goal: StopWhen) -> str:
    """Return a hint for a share that was given in percent."""
    given = goal.at_least
    return f": {given:g} percent is {given / 100:g}" if _is_share(goal.metric) and 1 < given <= 100 else ""


def _is_share(metric: str) -> bool:
    return is_fraction(metric) or metric.startswith((SHARE, FOCUS))


def _bounds(context: Context, metric: str) -> tuple[float, float]:
    """Return the least and the most that trials of the study can record of a metric."""
    if _is_share(metric):
        return 0.0, 1.0
    if metric == RATE:
        return 0.0, max((variant.section.effective_lr for variant in context.schedules), default=math.inf)
    if metric.startswith(WEIGHT):
        weights = [term.most for term in _terms(context) if term.changes and f"{WEIGHT}{term_name(term)}" == metric]
        return 0.0, max(weights, default=math.inf)
    return 0.0, math.inf


def _sources(metric: str) -> tuple[KeyPath, ...]:
    """Return the sections that decide whether a metric is recorded, and how high it comes."""
    if metric == RATE:
        return (("schedule",),)
    return () if "/" not in metric or is_fraction(metric) else (("method",), ("student",))


def _unknown(context: Context, path: KeyPath, metric: str, known: list[str]) -> Iterator[Problem]:
    """Yield a metric that is not among those that are known, unless it may be the loss of a head that nobody described."""
    if metric in known or (metric.startswith(LOSSES) and not all(_of_heads(context))):
        return
    hint = _meant(context, metric, known)
    yield Problem(path, f"no trial of this study records {inline(metric)}{hint}", rests_on=_sources(metric))


def _meant(context: Context, metric: str, known: list[str]) -> str:
    """Return the metric that was probably meant, or those that there are."""
    quantity = next((prefix for prefix in (LOSSES, *NOT_RECORDED) if metric.startswith(prefix)), None)
    alike = {key.removeprefix(quantity): key for key in known if quantity and key.startswith(quantity)}
    if quantity and alike:
        name = metric.removeprefix(quantity).removeprefix(MMDETS)
        near = closest(name, list(alike))
        return f" (did you mean {alike[near]}?)" if near else f": choose {alternatives(alike.values())}"
    titles = [TITLES[key] for key in known if key in TITLES]
    meant = None if quantity else _near(context, metric, [*titles, *known])
    if meant:
        return f" (did you mean {meant}?)"
    if metric.startswith(CLASS_AP):
        return f": choose {alternatives(_some([key for key in known if key.startswith(CLASS_AP)]))}"
    reason = f", because {NOT_RECORDED[quantity]}" if quantity in NOT_RECORDED else ""
    return f"{reason}: choose {alternatives([*titles, *_forms(known)])}"


def _near(context: Context, metric: str, known: list[str]) -> str | None:
    """Return the metric that a word is nearest to; a class is told by its name, with and without the prefix."""
    metrics = {name: class_metric(name) for name in class_names(context.study.dataset)}
    name = metric.removeprefix(CLASS_AP)
    if name in metrics:
        return metrics[name]
    other = None if metric.startswith(CLASS_AP) else closest(metric, known)
    return other or metrics.get(closest(name, list(metrics)) or "")


def _some(metrics: list[str]) -> list[str]:
    """Return the first metrics of classes, and how many others there are."""
    others = len(metrics) - NAMED
    return [*metrics[:NAMED], f"that of {counted(others, 'other class', 'other classes')}"] if others > 0 else metrics


def _forms(known: list[str]) -> list[str]:
    """Return the forms of the known metrics that are told apart by a name, and those that have none."""
    prefixes = [prefix for prefix in (CLASS_AP, LOSSES, *NOT_RECORDED) if any(key.startswith(prefix) for key in known)]
    return [*(f"{prefix}NAME" for prefix in prefixes), *(key for key in known if key == RATE)]


def _terms(context: Context) -> list[TermSection]:
    """Return the terms that the study's methods are sums of, in all forms that they have."""
    return [term for method in context.methods for term in terms_of(method.section) if term.counts]


def _of_terms(context: Context) -> list[str]:
    """Return the metrics of terms beside their losses."""
    terms = _terms(context)
    every = [f"{quantity}{term_name(term)}" for quantity in (RATIO, SHARE) for term in terms]
    changing = [f"{WEIGHT}{term_name(term)}" for term in terms if term.changes]
    weighing = [f"{FOCUS}{term_name(term)}" for term in terms if term.by_anchors]
    return list(dict.fromkeys([*every, *([DETECTION] if terms else []), *changing, *weighing]))


def _losses(context: Context) -> list[str]:
    """Return the losses that are known beforehand: those of described heads, of terms, and the sum."""
    own = (name for losses in _of_heads(context) for name in losses)
    names = dict.fromkeys((*own, *map(term_name, _terms(context))))
    return [TOTAL, *(f"{LOSSES}{name}" for name in names)]


def _of_heads(context: Context) -> Iterator[tuple[str, ...]]:
    """Yield the names of each student's own losses, none where its head is not described."""
    for student in context.students:
        config = find_config(student.section.config)
        head = find_head(config.head) if config else None
        yield head.losses if head else ()
