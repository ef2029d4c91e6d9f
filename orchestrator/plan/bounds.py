"""Leave out the students over ``search.constraints``, before anything is trained."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.findings import Finding, Level
from orchestrator.plan.costs import Costs
from orchestrator.plan.labels import point_text
from orchestrator.plan.model_process import lacking_package
from orchestrator.plan.suggestion import ASK, suggestion_of
from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.expand import students_of
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import Search
from orchestrator.study.space import is_open
from orchestrator.study.substitute import section_of
from orchestrator.study.wording import counted
from trainers.schema.costs import COSTS, DetectorCost, cost_value

CONSTRAINTS, OBJECTIVES = "search.constraints", "search.objectives"
MOST_NAMED = 5  # students that a finding names
UNKNOWN = 1.0  # the excess of a student whose cost cannot be measured


def excess_of(cost: DetectorCost | None, search: Search) -> tuple[float, ...]:
    """Return for each constraint by which share of the bound a cost is above it; at 0 or less it keeps to the bound."""
    values = [(cost_value(cost, name), bound) for name, bound in search.constraints.given.items()]
    return tuple(UNKNOWN if value is None else value / bound - 1.0 for value, bound in values)


def is_over(excess: Iterable[float]) -> bool:
    """Return whether a student is over one of its bounds."""
    return any(value > 0.0 for value in excess)


def decides_by_cost(search: Search) -> bool:
    """Return whether costs decide about trials."""
    return bool(_deciding(search))


def needs_latency(search: Search) -> bool:
    """Return whether latency decides about trials, so that it is measured before anything is trained."""
    return "latency_ms" in _deciding(search)


def costs_text(cost: DetectorCost, search: Search) -> str:
    """Return the constrained costs of a student beside their bounds, where they are above."""
    values = [(name, cost_value(cost, name), bound) for name, bound in search.constraints.given.items()]
    return _over_text((name, value, bound) for name, value, bound in values if value is not None)


def _over_text(values: Iterable[tuple[str, float, float]]) -> str:
    return ", ".join(f"{name} {_number(value)} > {_number(bound)}" for name, value, bound in values if value > bound)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def measure_deciding(loaded: LoadedStudy, costs: Costs, students: Sequence[PlannedTrial]) -> None:
    """Measure the costs that decide about a study's trials, where they are not known yet.

    An open search has its students measured when it comes to them, except for latency, which other trainings disturb.
    """
    search = loaded.study.search
    if not decides_by_cost(search):
        return
    latency = needs_latency(search)
    to_come = students_of(loaded.study) if latency and is_open(search) else ()
    costs.measure([*(trial.spec.student for trial in students), *to_come], latency=latency)


def within_bounds(
    loaded: LoadedStudy, costs: Costs, students: Sequence[PlannedTrial]
) -> tuple[list[PlannedTrial], list[Finding]]:
    """Return the students that keep to the constraints, and findings about the others.

    One whose cost could not be measured stays, with an error.
    """
    search = loaded.study.search
    over = [trial for trial in students if _is_left_out(trial, costs, search)]
    findings = list(dict.fromkeys(_unmeasured(loaded, costs, students)))
    if over:
        text = _left_out(over, len(students), costs, search)
        nobody = len(over) == len(students) and not (is_open(search) and any(map(_is_of_student, search.space)))
        end = "; no student is left to train: raise the bounds, or search smaller students" if nobody else ""
        findings.append(Finding("error" if nobody else "note", loaded.where(CONSTRAINTS), f"{text}{end}"))
    ids = {trial.id for trial in over}
    return [trial for trial in students if trial.id not in ids], findings


def points_left_out(loaded: LoadedStudy, events: Iterable[dict[str, Any]]) -> list[Finding]:
    """Return a finding about the points over a constraint that an open search has come to so far."""
    asked = [suggestion_of(event) for event in events if event["event"] == ASK]
    bounds = loaded.study.search.constraints.given
    texts = {
        point_text(point.params): _over_text(
            (n, b * (1 + e), b) for (n, b), e in zip(bounds.items(), point.excess, strict=True)
        )
        for point in asked
        if point.is_left_out
    }
    if not texts:
        return []
    count = sum(point.is_left_out for point in asked)
    message = f"left out over their bounds, {count} of {counted(len(asked), 'point')} so far: {_some(texts)}"
    return [Finding("note", loaded.where(CONSTRAINTS), message)]


def _some(texts: Mapping[str, str]) -> str:
    """Return the first names with their texts, and how many there are beside them."""
    shown = [f"{name} ({text})" for name, text in list(texts.items())[:MOST_NAMED]]
    return "; ".join([*shown, *([f"and {len(texts) - MOST_NAMED} more"] if len(texts) > MOST_NAMED else [])])


def _is_of_student(key: str) -> bool:
    return section_of(key) == "student"


def _is_left_out(trial: PlannedTrial, costs: Costs, search: Search) -> bool:
    if not search.constraints.given:
        return False
    cost = costs.of(trial.spec.student)
    return cost is not None and is_over(excess_of(cost, search))


def _unmeasured(loaded: LoadedStudy, costs: Costs, students: Sequence[PlannedTrial]) -> Iterator[Finding]:
    search = loaded.study.search
    where = loaded.where(CONSTRAINTS if search.constraints.given else OBJECTIVES)
    for student in dict.fromkeys(trial.spec.student for trial in students):
        if any(cost_value(costs.of(student), name) is None for name in _deciding(search)):
            level: Level = "missing" if lacking_package() else "error"
            yield Finding(level, where, costs.problems.get(student, "cannot measure the costs of a student"))


def _deciding(search: Search) -> list[str]:
    return [name for name in COSTS if name in search.constraints.given or name in search.objectives]


def _left_out(over: Sequence[PlannedTrial], count: int, costs: Costs, search: Search) -> str:
    named: dict[str, str] = {}
    for trial in over:
        cost = costs.of(trial.spec.student)
        searched = {key: value for key, value in trial.params.items() if _is_of_student(key)}
        if cost is not None:
            named.setdefault(point_text(searched) or "student", costs_text(cost, search))
    return f"left out over their bounds, {len(over)} of {counted(count, 'trial')}: {_some(named)}"
