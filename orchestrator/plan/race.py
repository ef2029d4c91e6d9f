"""Know how far a race over seeds has come: which points still train further seeds, and why others have left."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import JsonValue

from orchestrator.plan.trial import PlannedTrial
from orchestrator.study.fingerprint import canonical_json
from orchestrator.study.schema import Fifo, Pasha, Search
from orchestrator.study.selection import is_fraction

ROUND = "round"  # the kind of event


@dataclass(frozen=True)
class RacePoint:
    """Hold one point of a race with its trials, one for each seed; its ``key`` is the first one's id."""

    trials: tuple[PlannedTrial, ...]
    is_baseline: bool

    @property
    def key(self) -> str:
        """Return the name of the point in the log."""
        return self.trials[0].id

    @property
    def params(self) -> dict[str, JsonValue]:
        """Return the searched values."""
        return self.trials[0].params


@dataclass(frozen=True)
class Departure:
    """Hold why a point left: how far behind the leader it was and the margin, of AP as fractions, or that it did not finish."""

    behind: float | None = None
    margin: float | None = None
    unfinished: str = ""

    def text(self, seeds: int, metric: str) -> str:
        """Return the reason as a sentence."""
        if self.behind is None or self.margin is None:
            return f"left at seed {seeds}: {self.unfinished}"
        if not is_fraction(metric):
            return f"left at seed {seeds}: {self.behind:.4f} above the leader, margin {self.margin:.4f}"
        return f"left at seed {seeds}: {100 * self.behind:.1f} below the leader, margin {100 * self.margin:.1f}"


@dataclass(frozen=True)
class Round:
    """Hold one decision: after ``seeds`` seeds the points ``stays`` go on, unless the race is ``over``; others have ``left``."""

    seeds: int
    stays: tuple[str, ...]
    over: bool
    left: Mapping[str, Departure] = field(default_factory=dict)

    def event(self) -> dict[str, Any]:
        """Return the log entry."""
        return {"event": ROUND, **asdict(self)}


def rounds_in(events: Iterable[dict[str, Any]]) -> list[Round]:
    """Return the decisions of a log, in order."""
    return [_round(event) for event in events if event["event"] == ROUND]


def _round(event: dict[str, Any]) -> Round:
    left = {key: Departure(**why) for key, why in event["left"].items()}
    return Round(event["seeds"], tuple(event["stays"]), event["over"], left)


def race_points(trials: Iterable[PlannedTrial]) -> tuple[RacePoint, ...]:
    """Return the points of a study's students, in order."""
    found: dict[tuple[bool, str], list[PlannedTrial]] = {}
    for trial in trials:
        found.setdefault((trial.is_baseline, canonical_json(trial.params)), []).append(trial)
    return tuple(RacePoint(tuple(group), is_baseline) for (is_baseline, _), group in found.items())


def first_seeds(search: Search) -> int:
    """Return how many seeds each point has before the first decision: one, where a scheduler stops trials early.

    ``search.racing.least_seeds`` of all points would be trained at once otherwise.
    """
    least = search.racing.least_seeds if search.racing else len(search.seeds)
    return least if isinstance(search.scheduler, Fifo) else 1


def least_finalists(search: Search, trials: int) -> int:
    """Return how many of so many ``trials`` the scheduler brings to their ends at least."""
    rule = search.scheduler
    if not isinstance(rule, Pasha):
        return 1
    return rule.finalists or (-(-trials // 2) if search.racing else 1)


@dataclass(frozen=True)
class RaceState:
    """Hold where a race stands after its last decision: each point in ``stays`` has ``seeds`` seeds, trained or to be trained."""

    points: tuple[RacePoint, ...]
    stays: frozenset[str]
    begun: int  # seeds before the present round
    seeds: int
    over: bool

    @property
    def present(self) -> list[PlannedTrial]:
        """Return the trials of the present round, in the order of the points."""
        return self.trials(self.begun, self.seeds)

    @property
    def admitted(self) -> list[PlannedTrial]:
        """Return the trials of the present round, seed by seed; none when the race is over."""
        return [] if self.over else self.present

    @property
    def to_come(self) -> list[PlannedTrial]:
        """Return the trials that later rounds come to, if no point leaves."""
        return [] if self.over else self.trials(self.seeds, None)

    def trials(self, begin: int, end: int | None) -> list[PlannedTrial]:
        """Return the trials of these seeds, of the points that are in the race."""
        racing = [point for point in self.points if point.is_baseline or point.key in self.stays]
        return [trial for point in racing for trial in point.trials[begin:end]]

    def after(self, decision: Round, most: int) -> "RaceState":
        """Return the state after a decision: one more seed, up to ``most``."""
        more = decision.seeds if decision.over else min(decision.seeds + 1, most)
        return RaceState(self.points, frozenset(decision.stays), decision.seeds, more, decision.over)


def race_state(
    search: Search, points: Sequence[RacePoint], rounds: Iterable[Round]
) -> tuple[RaceState, list[PlannedTrial]]:
    """Return where a race stands, and the trials that its decisions have added."""
    state = RaceState(tuple(points), frozenset(point.key for point in points), 0, first_seeds(search), over=False)
    added: list[PlannedTrial] = []
    for decision in rounds:
        state = state.after(decision, len(search.seeds))
        added += state.admitted
    return state, added


def race_texts(search: Search, points: Sequence[RacePoint], rounds: Sequence[Round]) -> dict[str, str]:
    """Return for each point why it has as many seeds as it has, by the id of each of its trials."""
    left = {key: why.text(decision.seeds, search.metric) for decision in rounds for key, why in decision.left.items()}
    state, _ = race_state(search, points, rounds)
    return {trial.id: left.get(point.key, _standing(state, point)) for point in points for trial in point.trials}


def _standing(state: RaceState, point: RacePoint) -> str:
    if point.is_baseline:
        return "baseline: as many seeds as the leader"
    if not state.over:
        return "in the race"
    return "leads alone" if len(state.stays) == 1 else "level with the leader, all seeds"
