"""Check that the metrics of a search are ones that its trials will record, as far as that is known before training."""

from collections.abc import Iterator

from orchestrator.study.checks.context import Context
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.selection import LOSSES, TITLES, is_fraction, selectable
from orchestrator.study.wording import alternatives, closest, did_you_mean, inline
from trainers.schema.class_metrics import PREFIX as CLASS_AP
from trainers.schema.heads import find_head
from trainers.schema.method import terms_of
from trainers.schema.terms import term_name
from trainers.schema.zoo import find_config

TOTAL = f"{LOSSES}total"
OF_TERMS = ("ratio/", "grad_share/", "weight/", "focus/")  # of a method's terms, recorded with each epoch
DETECTION = "grad_share/detection"
RATE = "lr"


def check_metric(context: Context) -> Iterator[Problem]:
    """Yield a metric to compare by that no trial of the study records."""
    known = [*selectable(context.study.dataset), *_losses(context)]
    yield from _unknown(context, ("search", "metric"), context.study.search.metric, known)


def check_goal(context: Context) -> Iterator[Problem]:
    """Yield a goal whose metric no trial records, and one that no average precision can come to."""
    goal = context.study.search.stop_when
    if goal is None:
        return
    path: KeyPath = ("search", "stop_when", "metric")
    terms = [f"{quantity}{name}" for quantity in OF_TERMS for name in _terms(context)]
    known = [*selectable(context.study.dataset), *_losses(context), *terms, DETECTION, RATE]
    yield from _unknown(context, path, goal.metric, known)
    if is_fraction(goal.metric) and not 0 <= goal.at_least <= 1:
        hint = f": {goal.at_least:g} percent is {goal.at_least / 100:g}" if 1 < goal.at_least <= 100 else ""
        message = f"{goal.metric} lies between 0 and 1, got {goal.at_least:g}{hint}"
        yield Problem(("search", "stop_when", "at_least"), message, rests_on=(path,))


def _unknown(context: Context, path: KeyPath, metric: str, known: list[str]) -> Iterator[Problem]:
    """Yield a metric that is not among those that are known, unless it may be the loss of a head that nobody described."""
    if metric in known or (metric.startswith(LOSSES) and not all(_of_heads(context))):
        return
    hint = _meant(metric, known)
    rests_on = () if "/" not in metric or is_fraction(metric) else (("method",), ("student",))
    yield Problem(path, f"no trial of this study records {inline(metric)}{hint}", rests_on=rests_on)


def _meant(metric: str, known: list[str]) -> str:
    """Return the metric that was probably meant, or those that there are."""
    if metric.startswith(LOSSES):
        losses = [key for key in known if key.startswith(LOSSES)]
        return did_you_mean(metric, losses) or f": choose {alternatives(losses)}"
    titles = [TITLES[key] for key in known if key in TITLES]
    classes = {key.removeprefix(CLASS_AP): key for key in known if key.startswith(CLASS_AP)}
    near = closest(metric, [*titles, *known]) or classes.get(closest(metric, list(classes)) or "")
    return (
        f" (did you mean {near}?)"
        if near
        else f": choose {alternatives([*titles, f'{CLASS_AP}NAME', f'{LOSSES}NAME'])}"
    )


def _terms(context: Context) -> list[str]:
    """Return the names of all terms that the study's methods are sums of."""
    terms = (term for method in context.methods for term in terms_of(method.section) if term.counts)
    return list(dict.fromkeys(map(term_name, terms)))


def _losses(context: Context) -> list[str]:
    """Return the losses that are known beforehand: those of described heads, of terms, and the sum."""
    own = (name for losses in _of_heads(context) for name in losses)
    return [TOTAL, *(f"{LOSSES}{name}" for name in dict.fromkeys((*own, *_terms(context))))]


def _of_heads(context: Context) -> Iterator[tuple[str, ...]]:
    """Yield the names of each student's own losses, none where its head is not described."""
    for student in context.students:
        config = find_config(student.section.config)
        head = find_head(config.head) if config else None
        yield head.losses if head else ()
