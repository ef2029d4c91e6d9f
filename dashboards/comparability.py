"""Decide which trials may be ranked together, and say what keeps the others apart.

Trials are comparable when they agree in every fact: training data, evaluation set, schedule, global batch and teacher.
Settings of the schedule that a study searches on purpose (its learning rate, say) do not separate that study's trials;
its length and policy always do. A fact that nobody recorded is shared within one study only.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from dashboards.schema import Difference
from dashboards.seen import Seen

Settings = tuple[tuple[str, str], ...]
FACTS = ("data", "evaluation", "schedule", "batch", "teacher")
EVALUATION = (
    "dataset.kind", "dataset.val", "dataset.classes", "dataset.image_size", "dataset.keep_ratio", "dataset.test_size",
    "dataset.pad_to_square",
)  # fmt: skip
NOT_DATA = ("dataset.root", "dataset.evaluator", "dataset.val")
BATCH = "schedule.batch_size"
LENGTH = ("schedule.epochs", "schedule.iterations", "schedule.policy.", "schedule.closing_epochs")
UNKNOWN, NO_TEACHER = "not recorded in", (("teacher", "none"),)
NAMES = {
    "data": "training data", "evaluation": "evaluation set", "schedule": "schedule", "batch": "global batch",
    "teacher": "teacher",
}  # fmt: skip
MOST_PAIRED = 12  # groups; more are compared with the largest one only
MOST_KEYS = 4  # settings named in a sentence


@dataclass
class Comparable:
    """Hold trials that may be ranked together; ``facts`` are the settings that they agree in, by fact."""

    facts: Mapping[str, Settings]
    distilled: list[Seen] = field(default_factory=list)
    baselines: list[Seen] = field(default_factory=list)
    teachers: list[Seen] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Return a short name that is the same whenever the facts are."""
        return hashlib.sha256(repr(sorted(self.facts.items())).encode()).hexdigest()[:10]

    @property
    def members(self) -> list[Seen]:
        """Return all trials, teachers first."""
        return [*self.teachers, *self.baselines, *self.distilled]


def comparable_groups(trials: Sequence[Seen]) -> list[Comparable]:
    """Return the groups, the one with most trials first; baselines stand in each group that differs in the teacher only."""
    groups: dict[tuple[Settings, ...], Comparable] = {}
    for trial in trials:
        if trial.is_distilled:
            facts = facts_of(trial)
            groups.setdefault(tuple(facts.values()), Comparable(facts)).distilled.append(trial)
    _add_baselines(groups, [trial for trial in trials if trial.is_baseline])
    _add_teachers(groups.values(), [trial for trial in trials if trial.role == "teacher"])
    return sorted(groups.values(), key=lambda group: (-len(group.distilled), group.id))


def facts_of(trial: Seen) -> dict[str, Settings]:
    """Return the settings behind each fact; a fact without any names the study instead, which nobody else has."""
    params = trial.run.params
    searched = [key for key in trial.searched if not key.startswith(LENGTH)]
    found = {
        "data": {k: v for k, v in params.items() if k.startswith("dataset.") and not k.startswith(NOT_DATA)},
        "evaluation": {k: v for k, v in params.items() if k.startswith(EVALUATION)},
        "schedule": {
            k: v for k, v in params.items() if k.startswith("schedule.") and k != BATCH and k not in searched
        },
        "batch": {k: v for k, v in params.items() if k == BATCH},
        "teacher": _teacher(trial),
    }  # fmt: skip
    if trial.run.data:
        found["data"]["digest"] = trial.run.data
    unknown = {UNKNOWN: trial.study}
    return {fact: tuple(sorted((settings or unknown).items())) for fact, settings in found.items()}


def differences(groups: Sequence[Comparable]) -> list[Difference]:
    """Say for pairs of groups what keeps them apart."""
    pairs = combinations(groups, 2) if len(groups) <= MOST_PAIRED else ((groups[0], other) for other in groups[1:])
    return [_difference(one, other) for one, other in pairs]


def _difference(one: Comparable, other: Comparable) -> Difference:
    apart = [fact for fact in FACTS if one.facts[fact] != other.facts[fact]]
    sentences = [_sentence(fact, dict(one.facts[fact]), dict(other.facts[fact])) for fact in apart]
    return {"a": one.id, "b": other.id, "facts": apart, "sentences": sentences}


def _sentence(fact: str, one: dict[str, str], other: dict[str, str]) -> str:
    if UNKNOWN in one or UNKNOWN in other:
        missing = " and ".join(dict.fromkeys(s[UNKNOWN] for s in (one, other) if UNKNOWN in s))
        return f"{NAMES[fact]}: not recorded in {missing}"
    keys = [key for key in sorted({*one, *other}) if one.get(key) != other.get(key)]
    parts = [f"{key} {_short(one.get(key))} against {_short(other.get(key))}" for key in keys[:MOST_KEYS]]
    more = f" and {len(keys) - MOST_KEYS} more" if len(keys) > MOST_KEYS else ""
    return f"{NAMES[fact]}: {', '.join(parts)}{more}"


def _short(value: str | None) -> str:
    if value is None:
        return "(not set)"
    return value if len(value) <= 40 else f"{value[:12]}…"


def _teacher(trial: Seen) -> dict[str, str]:
    if trial.method == "none":
        return dict(NO_TEACHER)
    params = trial.run.params
    detector = {key: value for key, value in params.items() if key.startswith("teacher.detector.")}
    return detector | {"teacher.weights": trial.teacher_id} if detector else {}


def _add_baselines(groups: dict[tuple[Settings, ...], Comparable], baselines: Iterable[Seen]) -> None:
    """Add a student trained alone wherever all but the teacher agrees; where nothing does, it opens a group."""
    others = list(groups.values())
    for trial in baselines:
        facts = facts_of(trial)
        homes = [group for group in others if _agree_but_for_teacher(group.facts, facts)]
        for group in homes or [groups.setdefault(tuple(facts.values()), Comparable(facts))]:
            group.baselines.append(trial)


def _agree_but_for_teacher(one: Mapping[str, Settings], other: Mapping[str, Settings]) -> bool:
    return all(one[fact] == other[fact] for fact in FACTS if fact != "teacher")


def _add_teachers(groups: Iterable[Comparable], teachers: Sequence[Seen]) -> None:
    by_id = {teacher.id: teacher for teacher in teachers}
    for group in groups:
        wanted = dict.fromkeys(trial.teacher_id for trial in group.distilled)
        group.teachers += [by_id[name] for name in wanted if name in by_id]
