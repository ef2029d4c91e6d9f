"""Expansion: the trials are the product of the values and seeds, in a fixed order, each once, each valid."""

import itertools
import json
import math
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orchestrator.study.expand import SearchPoint, expand
from orchestrator.study.schema import StudySpec
from tests.examples import examples

BASE: dict[str, Any] = {
    "name": "x",
    "dataset": {"kind": "shapes"},
    "teacher": {"kind": "random", "detector": {"config": "c"}},
    "student": {"config": "c", "weights": "random"},
    "method": {"kind": "bckd"},
}
DOMAINS: dict[str, st.SearchStrategy[Any]] = {
    "method.alpha1": st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0]),
    "method.alpha2": st.sampled_from([0.25, 1.5, 4.0, 8.0]),
    "method.detach_weight": st.booleans(),
    "schedule.lr": st.sampled_from([0.001, 0.01, 0.1]),
    "schedule.clip_grad": st.sampled_from([None, 1.0, 35.0]),
    "student.width": st.sampled_from([0.25, 0.5, 1.0]),
}
SPACES = st.lists(st.sampled_from(sorted(DOMAINS)), max_size=4, unique=True).flatmap(
    lambda keys: st.fixed_dictionaries({key: st.lists(DOMAINS[key], min_size=1, max_size=3, unique=True) for key in keys})
)  # fmt: skip
SEEDS = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=3, unique=True)
OPEN = st.sampled_from([{"uniform": [0.0, 1.0]}, {"uniform": [0.5, 8]}, {"loguniform": [1e-3, 1.0]}, [0.5], [1.0, 2.0]])


def study(**search: Any) -> StudySpec:
    return StudySpec.model_validate_json(json.dumps(BASE | {"search": search}))


def value_at(point: SearchPoint, key: str) -> object:
    """Return what a trial really uses for a searched key."""
    section, _, field = key.partition(".")
    return getattr(getattr(point, section), field)


@given(SPACES, SEEDS)
@settings(max_examples=examples(80))
def test_a_grid_is_the_product_of_values_and_seeds_in_file_order(space: dict[str, list[Any]], seeds: list[int]) -> None:
    points = expand(study(space=space, seeds=seeds, baseline=False))
    combinations = [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]
    wanted = [(values, seed) for values in combinations for seed in seeds]
    assert [(point.params, point.seed) for point in points] == wanted
    assert len(points) == math.prod(map(len, space.values())) * len(seeds)
    assert all(value_at(point, key) == value for point in points for key, value in point.params.items())


@given(SPACES, SEEDS)
@settings(max_examples=examples(40))
def test_baselines_stand_first_at_each_place_outside_the_method(space: dict[str, list[Any]], seeds: list[int]) -> None:
    points = expand(study(space=space, seeds=seeds))
    elsewhere = [len(values) for key, values in space.items() if not key.startswith("method.")]
    count = math.prod(elsewhere) * len(seeds)
    assert [point.is_baseline for point in points] == [True] * count + [False] * (len(points) - count)
    assert all(point.method.kind == "none" for point in points[:count])
    assert len({repr((point.student, point.schedule, point.seed)) for point in points[:count]}) == count


@given(st.dictionaries(st.sampled_from(["method.alpha1", "schedule.lr", "method.alpha2"]), OPEN, min_size=1), SEEDS, st.integers(1, 8), st.integers(0, 9))  # fmt: skip
@settings(max_examples=examples(60))
def test_random_draws_lie_in_their_domains_and_come_again(
    space: dict[str, Any], seeds: list[int], samples: int, seed: int
) -> None:
    search = study(algorithm="random", space=space, seeds=seeds, samples=samples, seed=seed, baseline=False)
    points = expand(search)
    assert expand(search) == points
    assert 0 < len(points) <= samples * len(seeds)
    assert len({repr((point.method, point.schedule, point.seed)) for point in points}) == len(points)
    for point in points:
        for key, value in point.params.items():
            assert lies_in(value, space[key])
            assert value_at(point, key) == value


@given(SPACES, st.data())
@settings(max_examples=examples(40))
def test_order_of_seeds_and_values_changes_order_only(space: dict[str, list[Any]], data: st.DataObject) -> None:
    assume(space)
    shuffled = {key: data.draw(st.permutations(values)) for key, values in space.items()}
    first, second = (expand(study(space=it, baseline=False)) for it in (space, shuffled))
    assert {repr(sorted(p.params.items())) for p in first} == {repr(sorted(p.params.items())) for p in second}


def lies_in(value: Any, domain: Any) -> bool:
    if isinstance(domain, list):
        return value in domain
    [(low, high)] = domain.values()
    return bool(low <= value <= high)
