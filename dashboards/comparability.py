"""Explain why trials may not be ranked together."""

from collections.abc import Sequence
from itertools import combinations

from dashboards.run_record import RunRecord
from dashboards.schema import Difference
from orchestrator.results.comparability import FACTS, UNKNOWN, Comparable

NAMES = {
    "data": "training data", "evaluation": "evaluation set", "schedule": "schedule", "batch": "global batch",
    "teacher": "teacher",
}  # fmt: skip
MOST_PAIRED = 12  # groups; more are compared with the largest one only
MOST_KEYS = 4  # settings named in a sentence


def differences(groups: Sequence[Comparable[RunRecord]]) -> list[Difference]:
    """Return the differences between pairs of groups."""
    pairs = combinations(groups, 2) if len(groups) <= MOST_PAIRED else ((groups[0], other) for other in groups[1:])
    return [_difference(one, other) for one, other in pairs]


def _difference(one: Comparable[RunRecord], other: Comparable[RunRecord]) -> Difference:
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
