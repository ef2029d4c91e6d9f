"""Race points over seeds: train a further seed only of those that may still be the best."""

import logging
from collections.abc import Mapping, Sequence

from orchestrator.core.numbers import is_number
from orchestrator.plan.journal import SearchLog
from orchestrator.plan.plan import Plan
from orchestrator.plan.race import Departure, RacePoint, Round, race_state, rounds_in
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.ranking import Pooled, beats, paired, pooled
from orchestrator.results.sample import Sample, sample_of
from orchestrator.study.schema import Racing
from orchestrator.study.selection import merit, value_of
from trainers.schema.record import read_history, read_status
from trainers.schema.status import is_over

log = logging.getLogger(__name__)


class Race:
    """Hand out the trials of a race, round by round: a round is one seed of all points that are in it.

    A decision follows from the results of a whole round, not from the order in which its trials end. It is on disk
    before a trial of the next round is handed out, and a new process repeats it. Not thread-safe.
    """

    def __init__(self, plan: Plan) -> None:
        search = plan.study.search
        assert search.racing is not None  # there is no race without it
        self._plan, self._racing, self._most = plan, search.racing, len(search.seeds)
        self._metric = search.metric
        self._log = SearchLog(plan.search_log)
        self._state, _ = race_state(search, plan.race, rounds_in(self._log.read()))
        self._ended = {trial.id for trial in plan.trials if is_over(read_status(trial.directory))}
        self._waiting: list[PlannedTrial] = []
        self._decide()

    def ask(self, count: int = 1) -> list[PlannedTrial]:
        """Return up to ``count`` new trials to be run next; none while the round before is trained."""
        given, self._waiting = self._waiting[:count], self._waiting[count:]
        return given

    def on_trial_complete(self, trial_id: str) -> None:
        """Handle the end of a trial, with any outcome."""
        self._ended.add(trial_id)
        self._decide()

    @property
    def over(self) -> bool:
        """Return whether no more trials will come, regardless of the running ones."""
        return not self._waiting and (self._state.over or self._state.seeds == self._most)

    def _decide(self) -> None:
        while not self._state.over and all(trial.id in self._ended for trial in self._state.present):
            values = {point.key: _values(point, self._state.seeds, self._metric) for point in self._state.points}
            decision = decide(
                self._state.points, self._state.stays, values, self._state.seeds, self._most, self._racing
            )
            self._log.append(**decision.event())
            self._tell(decision)
            self._state = self._state.after(decision, self._most)
            self._add(self._state.admitted)

    def _add(self, trials: Sequence[PlannedTrial]) -> None:
        for trial in trials:
            self._plan.suggested.append(trial)
            if is_over(read_status(trial.directory)):  # of an earlier study
                self._ended.add(trial.id)
            else:
                self._waiting.append(trial)

    def _tell(self, decision: Round) -> None:
        names = {point.key: point.trials[0].name for point in self._state.points}
        for key, why in decision.left.items():
            log.info("%s has %s", names[key], why.text(decision.seeds, self._metric))


def decide(
    points: Sequence[RacePoint],
    stays: frozenset[str],
    values: Mapping[str, Sequence[float | None]],
    seeds: int,
    most: int,
    racing: Racing,
) -> Round:
    """Return who goes on after ``seeds`` seeds: all that the leader does not clearly beat, by the rule of ranks.

    ``values`` are the results (higher is better) of each point's seeds so far, ``None`` for a trial that was not trained to its end. A point with
    such a trial leaves, and before ``racing.least_seeds`` no other does. The race ends with the last seed, or when one point is left with that many.
    """
    field = [point.key for point in points if point.key in stays and not point.is_baseline]
    left = {key: Departure(unfinished=_unfinished(values[key])) for key in field if None in values[key]}
    racers = {key: sample for key in field if key not in left and (sample := sample_of(values[key])) is not None}
    if seeds >= racing.least_seeds:
        beside = [point.key for point in points if point.is_baseline]
        left |= _beaten(racers, _spread(values, [*racers, *beside], racing))
    staying = tuple(key for key in field if key not in left)
    over = not staying or seeds >= most or (len(staying) == 1 and seeds >= racing.least_seeds)
    return Round(seeds, staying, over, left)


def _spread(values: Mapping[str, Sequence[float | None]], present: Sequence[str], racing: Racing) -> Pooled | None:
    """Return the spread over seeds: of all points, or of those that have all seeds of this round by pairs."""
    if racing.paired:
        rows = [[value for value in values[key] if value is not None] for key in present if None not in values[key]]
        return paired(rows, racing.confidence)
    samples = [sample for found in values.values() if (sample := sample_of(found)) is not None]
    return pooled(samples, racing.confidence)


def _beaten(racers: Mapping[str, Sample], common: Pooled | None) -> dict[str, Departure]:
    if common is None or not racers:
        return {}
    leader = max(racers.values(), key=lambda sample: sample.mean)
    return {
        key: Departure(leader.mean - sample.mean, common.margin(leader, sample))
        for key, sample in racers.items()
        if beats(leader, sample, common)
    }


def _unfinished(values: Sequence[float | None]) -> str:
    return (
        "stopped or failed before its end"
        if len(values) == 1
        else f"{values.count(None)} of its seeds stopped or failed"
    )


def _values(point: RacePoint, seeds: int, metric: str) -> list[float | None]:
    return [_score(trial, metric) for trial in point.trials[:seeds]]


def _score(trial: PlannedTrial, metric: str) -> float | None:
    """Return a trial's value as tables count it, higher is better; ``None`` unless it was trained to its end."""
    if read_status(trial.directory) != "finished":
        return None
    value = value_of(read_history(trial.directory), metric)
    return merit(metric, value) if value is not None and is_number(value) else None
