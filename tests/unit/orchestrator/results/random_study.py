"""Draw studies whose trials are in any state and have measured anything, and work out by hand what that comes to.

What is expected is computed here from the trials' records alone, with other code than the product's: ``statistics`` and
``scipy.stats``.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import strategies as st
from scipy.stats import t as student_t

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID
from trainers.schema.record import HISTORY, Outcome, Record, to_lines, write_outcome

AP, AP50, VOC50 = "coco/bbox_mAP", "coco/bbox_mAP_50", "voc/AP50"
TITLES = {AP: "AP", AP50: "AP50", VOC50: "VOC AP50"}
STATES = ("finished", "finished", "finished", "stopped", "failed", "unfinished", "new")
ENDED = ("finished", "stopped", "failed")
NAN = math.nan
SPREAD_OVER = {"none": (), "rate": ("schedule.lr=[0.01, 0.02]",), "length": ("schedule.epochs=[24, 36]",)}


@dataclass(frozen=True)
class Drawn:
    """Hold the shape of a study, and of each of its trials, in turn, a state and what each epoch measured."""

    sets: tuple[str, ...]
    trials: tuple[tuple[str, tuple[Mapping[str, float], ...]], ...]


@dataclass(frozen=True)
class Expected:
    """Hold what one row has to be, by trial ids."""

    name: str
    trials: frozenset[str]
    counted: frozenset[str]
    mean: Mapping[str, float]
    spread: Mapping[str, float]
    baseline: frozenset[str] | None = None
    gain: float | None = None
    rank: int | None = None
    others: Mapping[str, float] = field(default_factory=dict)  # the last AP of those that do not count


def measurements() -> st.SearchStrategy[Mapping[str, float]]:
    """Draw what one epoch measured; values that meet often, so that there are ties."""
    ap = st.integers(0, 40).map(lambda number: number / 80)
    value = ap | ap | ap | st.just(NAN)
    evaluated = st.fixed_dictionaries({AP: value}, optional={AP50: value, VOC50: value})
    return st.just({}) | evaluated | evaluated


@st.composite
def drawn(draw: st.DrawFn, most_points: int = 2, most_seeds: int = 3) -> Drawn:
    """Draw a study and what became of its trials."""
    alphas = draw(st.lists(st.sampled_from(["0.5", "1", "2.0"]), min_size=1, max_size=most_points, unique=True))
    seeds = list(range(draw(st.integers(1, most_seeds))))
    over = SPREAD_OVER[draw(st.sampled_from(["none", "none", "rate", "length"]))]
    baseline = draw(st.sampled_from(["true", "true", "false"]))
    space = ", ".join([f"method.alpha2: [{', '.join(alphas)}]", *(one.replace("=", ": ") for one in over)])
    sets = (f"search.space={{{space}}}", f"search.seeds={seeds}", f"search.baseline={baseline}", "scaling.workers=1")
    lengths = 1 + 2 * len(alphas) * len(seeds) * 2 + len(seeds) * 2
    history = st.lists(measurements(), min_size=1, max_size=3).map(tuple)
    one = st.tuples(st.sampled_from(STATES), history)
    return Drawn(sets, tuple(draw(st.lists(one, min_size=lengths, max_size=lengths))))


def fill(folder: Path, study: Drawn) -> tuple[Plan, dict[str, tuple[str, Sequence[Mapping[str, float]]]]]:
    """Leave in the store what training would, and return the plan with each trial's state and measurements by its id."""
    planned = plan_text(folder, VALID, *study.sets)
    found: dict[str, tuple[str, Sequence[Mapping[str, float]]]] = {}
    for trial, (state, epochs) in zip(planned.trials, study.trials, strict=False):
        found[trial.id] = (state, () if state == "new" else epochs)
        if state != "new":
            leave(trial, state, epochs)
    return planned, found


def leave(trial: PlannedTrial, state: str, epochs: Sequence[Mapping[str, float]]) -> None:
    """Leave a trial's directory as a worker would."""
    trial.directory.mkdir(parents=True)
    records = [
        Record(n, 10 * n, {"lr": 0.1, **found}, {"time/train_s": 1.0}, 1e9 + n) for n, found in enumerate(epochs, 1)
    ]
    (trial.directory / HISTORY).write_text(to_lines(records))
    if state in ENDED:
        write_outcome(trial.directory, Outcome(state))  # type: ignore[arg-type]


def expected_rows(plan: Plan, found: Mapping[str, tuple[str, Sequence[Mapping[str, float]]]]) -> list[Expected]:
    """Return what the rows of a study have to be."""
    groups: dict[tuple[object, ...], list[PlannedTrial]] = {}
    for trial in plan.trials:
        key = (trial.role, trial.spec.method.kind, *sorted((k, str(v)) for k, v in trial.params.items()))
        groups.setdefault(key, []).append(trial)
    rows = [_row(trials, found) for trials in groups.values()]
    first = {row: trials[0] for row, trials in zip(map(id, rows), groups.values(), strict=True)}
    return [_compared(row, rows, first) for row in rows]


def expected_best(plan: Plan, found: Mapping[str, tuple[str, Sequence[Mapping[str, float]]]]) -> str | None:
    """Return the id of the best student: of equals the smallest."""
    scored = [
        (-best[AP], trial.id)
        for trial in plan.students
        if found[trial.id][0] == "finished" and (best := _best(found[trial.id][1])) is not None
    ]
    return min(scored)[1] if scored else None


def _row(trials: Sequence[PlannedTrial], found: Mapping[str, tuple[str, Sequence[Mapping[str, float]]]]) -> Expected:
    best = {t.id: _best(found[t.id][1]) for t in trials if found[t.id][0] == "finished"}
    counted = {trial: values for trial, values in best.items() if values is not None}
    values = {
        key: [one[key] for one in counted.values() if key in one and math.isfinite(one[key])]
        for key in (AP, AP50, VOC50)
    }
    trial = trials[0]
    searched = " ".join(f"{key.removeprefix('method.')}={value}" for key, value in trial.params.items())
    return Expected(
        name="teacher" if trial.role == "teacher" else f"{trial.spec.method.kind} {searched}".strip(),
        trials=frozenset(one.id for one in trials),
        counted=frozenset(counted),
        mean={key: statistics.mean(one) for key, one in values.items() if one},
        spread={key: statistics.stdev(one) for key, one in values.items() if len(one) > 1},
        others={
            one.id: last for one in trials if one.id not in counted and (last := _last(found[one.id][1])) is not None
        },
    )


def _compared(row: Expected, rows: Sequence[Expected], first: Mapping[int, PlannedTrial]) -> Expected:
    trial = first[id(row)]
    if trial.role == "teacher":
        return row
    alike = [
        other
        for other in rows
        if first[id(other)].role == "student" and first[id(other)].spec.schedule.epochs == trial.spec.schedule.epochs
    ]
    alone = next(
        (
            other
            for other in alike
            if first[id(other)].spec.method.kind == "none" and first[id(other)].spec.schedule == trial.spec.schedule
        ),
        None,
    )
    distilled = trial.spec.method.kind != "none"
    gain = row.mean[AP] - alone.mean[AP] if distilled and alone and AP in row.mean and AP in alone.mean else None
    return Expected(
        **(
            vars(row)
            | {"baseline": alone.trials if alone and distilled else None, "gain": gain, "rank": _rank(row, alike)}
        )
    )


def _rank(row: Expected, alike: Sequence[Expected]) -> int | None:
    """Return the rank by a two-sided t test with the pooled variance, worked out pair by pair."""
    scored = [other for other in alike if AP in other.mean]
    freedom = sum(len(other.counted) - 1 for other in scored)
    if row not in scored or freedom == 0 or len(scored) < 2:
        return None
    variance = sum((len(one.counted) - 1) * one.spread[AP] ** 2 for one in scored if AP in one.spread) / freedom
    quantile = float(student_t.ppf(0.975, freedom))

    def beats(one: Expected) -> bool:
        error = math.sqrt(variance * (1 / len(one.counted) + 1 / len(row.counted)))
        return one.mean[AP] - row.mean[AP] > quantile * error + 1e-12

    return 1 + sum(map(beats, scored))


def _best(epochs: Sequence[Mapping[str, float]]) -> Mapping[str, float] | None:
    """Return what the epoch with the highest AP measured, the first of equals."""
    best = None
    for found in epochs:
        if math.isfinite(found.get(AP, NAN)) and (best is None or found[AP] > best[AP]):
            best = found
    return best


def _last(epochs: Sequence[Mapping[str, float]]) -> float | None:
    """Return the last AP that was measured, ``None`` where nothing was evaluated."""
    return next((found[AP] for found in reversed(epochs) if AP in found), None)
