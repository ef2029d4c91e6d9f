"""Ask for points one by one, turn them into trials, and report their results; log every step first."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean

from orchestrator.core.numbers import is_number
from orchestrator.plan.bounds import costs_text, decides_by_cost, excess_of, needs_latency
from orchestrator.plan.costs import Costs
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.labels import point_text
from orchestrator.plan.plan import Plan
from orchestrator.plan.suggestion import ASK, PRIOR, TELL, Suggestion, suggestion_of, trials_of
from orchestrator.plan.trial import PlannedTrial
from orchestrator.search.factory import sampler_of
from orchestrator.search.sampler import Sampler, Values
from orchestrator.study.schema import Objective, StudySpec
from orchestrator.study.selection import merit, value_of
from trainers.schema.costs import COSTS, cost_value
from trainers.schema.record import read_history, read_status
from trainers.schema.status import is_over

log = logging.getLogger(__name__)


class Suggestions:
    """Track the points of an open search and their results.

    Constructing one repeats the log, so that a search goes on as if nobody had died; trials that ended unheard are told.
    A point whose trials all exist already is told at once, nothing is trained twice. Not thread-safe.
    """

    def __init__(self, plan: Plan, sampler: Sampler | None = None) -> None:
        self._plan, self._study = plan, plan.study
        self._sampler = sampler or sampler_of(plan.study)
        self._log = SearchLog(plan.search_log)
        self._open: dict[int, tuple[PlannedTrial, ...]] = {}  # points without a result yet
        self._first: dict[int, str] = {}
        self._waiting: list[PlannedTrial] = []
        self._ended = {trial.id for trial in plan.trials if is_over(read_status(trial.directory))}
        for event in self._log.read():
            self._repeat(event)
        self._tell_ended()

    @property
    def is_fresh(self) -> bool:
        """Return whether nothing has been asked or learnt yet."""
        return not any(event["event"] in (ASK, PRIOR) for event in self._log.read())

    def add_priors(self, priors: Iterable[tuple[dict[str, object], Values]]) -> None:
        """Take results from elsewhere into account, before the first point is asked for."""
        for params, values in priors:
            self._log.append(event=PRIOR, params=params, values=values)
            self._sampler.add_prior(params, values)

    def ask(self, count: int = 1) -> list[PlannedTrial]:
        """Return up to ``count`` new trials to be run next, fewer while the search waits for results or is over."""
        while len(self._waiting) < count and self._has_room() and (suggestion := self._sampler.suggest()) is not None:
            bounded = self._bounded(suggestion)
            self._log.append(**bounded.event())
            self._take(bounded)
            self._tell_ended()
        given, self._waiting = self._waiting[:count], self._waiting[count:]
        return given

    def on_trial_complete(self, trial_id: str) -> None:
        """Handle the end of a trial, with any outcome."""
        self._ended.add(trial_id)
        self._tell_ended()

    @property
    def over(self) -> bool:
        """Return whether no more trials will come, regardless of the running ones."""
        return not self._waiting and not self._open and (not self._has_room() or self._sampler.suggest() is None)

    def _has_room(self) -> bool:
        most = self._study.search.max_trials
        return most is None or len(self._plan.students) + len(self._plan.suggested) < most

    def _bounded(self, suggestion: Suggestion) -> Suggestion:
        """Return the point with the excess of its student over each constraint; measures students that are new."""
        search, planner = self._study.search, self._plan.planner
        trials = trials_of(suggestion, planner.at, self._study.search.seeds[:1], self._first)
        if not decides_by_cost(search) or not trials:
            return suggestion
        student = trials[0].spec.student
        planner.costs.measure([student], latency=needs_latency(search))
        cost = planner.costs.of(student)
        bounded = replace(suggestion, excess=excess_of(cost, search))
        if bounded.is_left_out:
            why = costs_text(cost, search) if cost else planner.costs.problems.get(student, "its costs are not known")
            log.info("%s is left out: %s", point_text(suggestion.params), why)
        return bounded

    def _repeat(self, event: dict[str, object]) -> None:
        if event["event"] == ASK:
            self._take(suggestion_of(event), again=True)
        elif event["event"] == TELL:
            self._tell(int(str(event["number"])), event["values"], again=True)  # type: ignore[arg-type]
        elif event["event"] == PRIOR:
            self._sampler.add_prior(event["params"], tuple(event["values"]))  # type: ignore[arg-type]

    def _take(self, suggestion: Suggestion, *, again: bool = False) -> None:
        trials = trials_of(suggestion, self._plan.planner.at, self._study.search.seeds, self._first)
        self._sampler.add_running(suggestion)
        self._open[suggestion.number] = trials
        if trials:
            self._first[suggestion.number] = trials[0].id
        known = {trial.id for trial in self._plan.trials}
        for trial in trials:
            if trial.id not in known:
                self._plan.suggested.append(trial)
            if is_over(read_status(trial.directory)):
                self._ended.add(trial.id)
            elif (
                trial.id not in known and not again
            ):  # of an earlier run: it is given out with the study's other trials
                self._waiting.append(trial)

    def _tell_ended(self) -> None:
        for number, trials in list(self._open.items()):
            if all(trial.id in self._ended for trial in trials):
                self._tell(number, values_of(trials, self._study, self._plan.planner.costs))

    def _tell(self, number: int, values: Values | None, *, again: bool = False) -> None:
        if not again:
            self._log.append(event=TELL, number=number, values=values)
        self._open.pop(number, None)
        self._sampler.tell(number, tuple(values) if values else None)


def values_of(trials: Iterable[PlannedTrial], study: StudySpec, costs: Costs) -> Values | None:
    """Return a point's result, the mean over its seeds, higher is better; ``None`` when one of them gave nothing."""
    last = study.search.algorithm.has_segments  # what goes on is the last state, not the best
    metric = study.search.metric
    found = [
        [_value(trial, objective, costs, metric, last=last) for objective in study.search.objectives]
        for trial in trials
    ]
    if not found or any(value is None for row in found for value in row):
        return None
    return tuple(fmean(value for value in column if value is not None) for column in zip(*found, strict=True))


def _value(trial: PlannedTrial, objective: Objective, costs: Costs, metric: str, *, last: bool) -> float | None:
    history = read_history(trial.directory)
    scored = [record for record in history if is_number(record.metrics.get(metric))]
    status = read_status(trial.directory)
    if not scored or status == "failed" or (last and status != "finished"):  # nobody goes on from half a segment
        return None
    if objective == "steps":
        return -float(history[-1].step)
    if objective == "seconds":
        return -sum(sum(record.timing.values()) for record in history)
    if objective in COSTS:
        cost = cost_value(costs.of(trial.spec.student), objective)
        return None if cost is None else -cost
    value = scored[-1].metrics[metric] if last else value_of(scored, metric)
    return None if value is None else merit(metric, value)
