"""A population evolves by the rules: barriers, quantiles, changed values, no chance outside of the seed."""

import json
from typing import Any

import pytest

from orchestrator.plan.suggestion import Suggestion
from orchestrator.search.population import PopulationSampler
from orchestrator.study.schema import Search, StudySpec
from trainers.schema import Schedule

SPACE = {"method.alpha1": {"uniform": [0.0, 2.0]}, "schedule.lr": [0.001, 0.01, 0.1]}


def searching(epochs: int, **given: Any) -> StudySpec:
    population = {"every_epochs": 2, "quantile": 0.25, "resample": 0.0}
    content = {"algorithm": "pbt", "space": SPACE, "samples": 4, "population": population, **given}
    search = Search.model_validate_json(json.dumps(content))
    return StudySpec.model_construct(search=search, schedule=Schedule.model_construct(epochs=epochs))  # type: ignore[call-arg]


def generation(sampler: PopulationSampler, size: int = 4) -> list[Suggestion]:
    found = []
    while len(found) < size and (suggestion := sampler.suggest()) is not None:
        sampler.add_running(suggestion)
        found.append(suggestion)
    return found


def tell(sampler: PopulationSampler, members: list[Suggestion], scores: list[float | None]) -> None:
    for member, value in zip(members, scores, strict=True):
        sampler.tell(member.number, None if value is None else (value,))


def test_the_worst_goes_on_from_the_best_and_the_others_from_themselves() -> None:
    sampler = PopulationSampler(searching(5))
    first = generation(sampler)
    assert [(member.origin, member.until_epoch) for member in first] == [(None, 2)] * 4
    tell(sampler, first, [0.2, 0.1, 0.4, 0.3])
    second = generation(sampler)
    assert [member.origin for member in second] == [0, 2, 2, 3]
    assert [member.until_epoch for member in second] == [4] * 4
    assert [second[slot].params == first[slot].params for slot in (0, 2, 3)] == [True] * 3
    best, copied = first[2].params, second[1].params
    low, high = sorted(min(max(float(str(best["method.alpha1"])) * f, 0.0), 2.0) for f in (0.8, 1.2))
    assert copied["method.alpha1"] in (pytest.approx(low), pytest.approx(high))
    places = SPACE["schedule.lr"]
    assert abs(places.index(copied["schedule.lr"]) - places.index(best["schedule.lr"])) <= 1  # type: ignore[attr-defined]
    tell(sampler, second, [0.5, 0.6, 0.7, 0.8])
    assert [member.until_epoch for member in generation(sampler)] == [5] * 4


def test_a_changed_value_stays_on_the_steps_of_its_range() -> None:
    space = {"method.alpha1": {"uniform": [0.0, 2.0], "step": 0.25}}
    sampler = PopulationSampler(searching(4, space=space))
    first = generation(sampler)
    tell(sampler, first, [0.2, 0.1, 0.4, 0.3])
    second = generation(sampler)
    assert all(float(str(member.params["method.alpha1"])) * 4 % 1 == 0 for member in (*first, *second))


def test_nobody_goes_on_before_all_have_arrived() -> None:
    sampler = PopulationSampler(searching(4))
    first = generation(sampler)
    for member in first[:-1]:
        sampler.tell(member.number, (0.5,))
        assert sampler.suggest() is None
    sampler.tell(first[-1].number, (0.1,))
    assert sampler.suggest() is not None


def test_who_failed_goes_on_from_a_member_that_did_not() -> None:
    sampler = PopulationSampler(searching(4))
    tell(sampler, generation(sampler), [None, 0.1, None, 0.3])
    origins = [member.origin for member in generation(sampler)]
    assert origins[1:2] + origins[3:] == [1, 3]
    assert set(origins) <= {1, 3}


def test_it_ends_at_the_last_epoch_and_when_all_have_failed() -> None:
    sampler = PopulationSampler(searching(4))
    for _ in range(2):
        tell(sampler, generation(sampler), [0.1, 0.2, 0.3, 0.4])
    assert sampler.suggest() is None
    doomed = PopulationSampler(searching(4))
    tell(doomed, generation(doomed), [None] * 4)
    assert doomed.suggest() is None


def test_a_new_process_goes_on_with_the_same_segments() -> None:
    undisturbed = PopulationSampler(searching(6))
    history: list[tuple[Suggestion, float]] = []
    for _ in range(3):
        members = generation(undisturbed)
        scores = [((7 * member.number + 3) % 11) / 11 for member in members]
        tell(undisturbed, members, list(scores))
        history += zip(members, scores, strict=True)
    for cut in range(len(history)):
        again = PopulationSampler(searching(6))
        for member, _ in history[:cut]:
            again.add_running(member)
        for member, value in reversed(history[:cut]):  # in whatever order results came in
            again.tell(member.number, (value,))
        assert again.suggest() == history[cut][0]
