"""--set: whatever is typed ends in a study or in findings, and a right value does what editing the file does."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from orchestrator.core.findings import StudyErrors
from orchestrator.study.load import load_study
from tests.examples import examples
from tests.unit.orchestrator.study_mutations import KINDS, PIECES
from tests.unit.orchestrator.study_text import VALID, write

# Rights keys with values that they take, and that depend on no other key.
VALUES = {
    "name": st.sampled_from(["a", "b-1", "010", "on"]),
    "description": st.text("ab: #-[]{}'\"&*", max_size=10),
    "dataset.flip": st.floats(0, 1),
    "dataset.image_size": st.tuples(st.integers(32, 4096), st.integers(32, 4096)).map(list),
    "dataset.train_images": st.integers(1, 10**6),
    "method.alpha1": st.floats(0, 1000) | st.integers(0, 1000),
    "method.detach_weight": st.booleans(),
    "method.iou": st.sampled_from(["giou", "iou", None]),
    "schedule.optimizer": st.sampled_from([{"kind": "adamw"}, {"kind": "sgd", "momentum": 0.5}]),
    "schedule.lr": st.floats(1e-9, 10),
    "search.seeds": st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3, unique=True),
    "search.space.method.alpha2": st.lists(st.floats(0, 1000), min_size=1, max_size=3, unique=True),
    "tracking.tags": st.dictionaries(st.text("ab.", max_size=3), st.text("ab1", max_size=3), max_size=2),
    "tracking.tags.a.b": st.text("xyz", max_size=3),
}
SETS = st.sampled_from(sorted(VALUES)).flatmap(lambda key: st.tuples(st.just(key), VALUES[key]))
TYPED = st.lists(
    st.sampled_from([*sorted(VALUES), *PIECES, *KINDS, "=", ".", "teacher", "scaling.workers", "base", "search.space"]),
    max_size=6,
).map("".join)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("study"), VALID)


@given(sets=st.lists(SETS, min_size=1, max_size=3, unique_by=lambda item: item[0]))
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_value_from_the_command_line_is_a_value_in_the_file(sets: list[tuple[str, object]], study: Path) -> None:
    if {"tracking.tags", "tracking.tags.a.b"} <= {key for key, _ in sets}:
        return  # the order of these two matters
    data = YAML(typ="safe", pure=True).load(VALID)
    for key, value in sets:
        put(data, key, value)
    edited = load_study(write(study.parent, json.dumps(data), "edited.yaml")).study
    arguments = [f"{key}={json.dumps(value)}" for key, value in sets]
    assert load_study(study, arguments).study == edited


@given(sets=st.lists(TYPED, max_size=3))
@settings(max_examples=examples(300))
def test_anything_typed_ends_in_a_study_or_in_findings(sets: list[str], study: Path) -> None:
    try:
        load_study(study, sets)
    except StudyErrors as errors:
        found = errors.findings
    else:
        found = ()
    assert all(str(finding).isprintable() for finding in found)


def put(data: dict[str, object], key: str, value: object) -> None:
    """Replace what stands under a dotted key; below search.space and tracking.tags the rest is one name."""
    parts = key.split(".")
    if parts[:2] in (["search", "space"], ["tracking", "tags"]) and len(parts) > 2:
        parts = [*parts[:2], ".".join(parts[2:])]
    holder: dict[str, object] = data
    for part in parts[:-1]:
        inner = holder.setdefault(part, {})
        assert isinstance(inner, dict)
        holder = inner
    holder[parts[-1]] = value
