"""Optuna proposes what it would have proposed undisturbed, finds good points, and keeps to the space."""

import json
import math
import random
import warnings
from dataclasses import replace
from itertools import product
from typing import Any

import optuna
import pytest

from orchestrator.plan.draws import seed_of
from orchestrator.plan.suggestion import Suggestion
from orchestrator.search.tpe import JOINTLY, TpeSampler, distribution_of
from orchestrator.study.schema import Search, StudySpec

SPACE = {
    "method.alpha1": {"uniform": [0.0, 2.0]},
    "schedule.lr": {"loguniform": [1e-4, 1e-1]},
    "method.levels": [1, 2, 4],
    "schedule.policy": [{"kind": "constant"}, {"kind": "cosine"}],
}
Answered = list[tuple[Suggestion, float | None]]


def searching(**given: Any) -> StudySpec:
    search = Search.model_validate_json(json.dumps({"algorithm": "optuna", "space": SPACE, "samples": 30, **given}))
    return StudySpec.model_construct(search=search)  # type: ignore[call-arg]


def score(params: dict[str, Any]) -> float:
    """Be best, at 0, for alpha1 1.3, lr 0.01, levels 2 and cosine."""
    far = abs(params["method.alpha1"] - 1.3) + abs(math.log10(params["schedule.lr"]) + 2)
    return -far - abs(params["method.levels"] - 2) - (params["schedule.policy"]["kind"] != "cosine")


def ask_and_answer(sampler: TpeSampler, count: int) -> Answered:
    found: Answered = []
    for _ in range(count):
        suggestion = sampler.suggest()
        assert suggestion is not None
        sampler.add_running(suggestion)
        value = None if suggestion.number == 4 else score(suggestion.params)
        sampler.tell(suggestion.number, None if value is None else (value,))
        found.append((suggestion, value))
    return found


def test_points_are_within_the_space() -> None:
    for suggestion, _ in ask_and_answer(TpeSampler(searching()), 20):
        assert 0 <= suggestion.params["method.alpha1"] <= 2  # type: ignore[operator]
        assert 1e-4 <= suggestion.params["schedule.lr"] <= 1e-1  # type: ignore[operator]
        assert suggestion.params["method.levels"] in (1, 2, 4)
        assert suggestion.params["schedule.policy"] in ({"kind": "constant"}, {"kind": "cosine"})


def test_a_new_process_goes_on_with_the_same_points() -> None:
    undisturbed = ask_and_answer(TpeSampler(searching()), 16)
    for cut in (1, 5, 11, 15):
        again = TpeSampler(searching())
        for suggestion, value in undisturbed[:cut]:
            again.add_running(suggestion)
            again.tell(suggestion.number, None if value is None else (value,))
        assert ask_and_answer(again, 16 - cut) == undisturbed[cut:]


def test_points_in_trial_are_avoided_and_order_of_results_does_not_matter() -> None:
    first, second = TpeSampler(searching()), TpeSampler(searching())
    for sampler, order in ((first, range(8)), (second, reversed(range(8)))):
        asked = []
        for _ in range(8):
            suggestion = sampler.suggest()
            assert suggestion is not None
            sampler.add_running(suggestion)
            asked.append(suggestion)
        assert len({repr(suggestion.params) for suggestion in asked}) == 8
        for number in order:
            sampler.tell(number, (score(asked[number].params),))
    assert first.suggest() == second.suggest()


@pytest.mark.parametrize("seed", [0, 1])
def test_results_lead_to_better_points_than_chance(seed: int) -> None:
    answered = ask_and_answer(TpeSampler(searching(seed=seed, samples=40)), 40)
    late = [value for suggestion, value in answered if suggestion.number >= 20 and value is not None]
    chance = random.Random(0)
    draws = [
        score({
            "method.alpha1": chance.uniform(0, 2), "schedule.lr": 10 ** chance.uniform(-4, -1),
            "method.levels": chance.choice([1, 2, 4]), "schedule.policy": {"kind": chance.choice(["cosine", "constant"])},
        })
        for _ in range(2000)
    ]  # fmt: skip
    assert sum(late) / len(late) > sum(draws) / len(draws) + 0.5


def test_earlier_results_are_learnt_from_and_those_outside_of_the_space_are_not() -> None:
    known, ignorant = TpeSampler(searching(samples=8)), TpeSampler(searching(samples=8))
    for alpha, lr, levels, kind in product((0.1, 1.3, 1.9), (1e-4, 1e-2), (1, 2), ("cosine", "constant")):
        params = {
            "method.alpha1": alpha, "schedule.lr": lr, "method.levels": levels, "schedule.policy": {"kind": kind}
        }  # fmt: skip
        known.add_prior(params, (score(params),))
        known.add_prior({**params, "method.levels": 3}, (99.0,))
        known.add_prior({**params, "method.alpha1": 5.0}, (99.0,))
    informed = [value for _, value in ask_and_answer(known, 8) if value is not None]
    blind = [value for _, value in ask_and_answer(ignorant, 8) if value is not None]
    assert sum(informed) > sum(blind)


def test_integers_and_steps_are_proposed_learnt_and_remembered() -> None:
    space = {
        "schedule.epochs": {"int": [4, 16], "step": 4},
        "schedule.batch_size": {"logint": [1, 64]},
        "method.alpha1": {"uniform": [0.0, 2.0], "step": 0.5},
    }
    sampler = TpeSampler(searching(space=space, samples=30))
    found = []
    for number in range(30):
        suggestion = sampler.suggest()
        assert suggestion is not None
        sampler.add_running(suggestion)
        sampler.tell(number, (-abs(suggestion.params["schedule.batch_size"] - 8),))  # type: ignore[operator]
        found.append(suggestion.params)
    assert {params["schedule.epochs"] for params in found} <= {4, 8, 12, 16}
    assert {params["method.alpha1"] for params in found} <= {0.0, 0.5, 1.0, 1.5, 2.0}
    sizes = [params["schedule.batch_size"] for params in found]
    assert all(type(size) is int for size in sizes)
    early, late = sizes[:10], sizes[20:]
    assert sum(abs(size - 8) for size in late) < sum(abs(size - 8) for size in early)  # type: ignore[operator]
    again = TpeSampler(searching(space=space, samples=30))
    for number, params in enumerate(found[:5]):
        again.add_running(Suggestion(number, params))
        again.tell(number, (-abs(params["schedule.batch_size"] - 8),))  # type: ignore[operator]
    proposed = again.suggest()
    assert proposed is not None
    assert proposed.params == found[5]
    again.add_prior({**found[0], "schedule.epochs": 5}, (99.0,))  # not on a step: no result of this space


CONDITIONAL = {
    "method": [
        {"kind": "bckd", "alpha1": {"uniform": [0.0, 4.0]}},
        {"kind": "pkd", "weight": {"loguniform": [0.1, 10.0]}, "levels": {"int": [1, 5]}},
    ],
    "schedule.lr": {"loguniform": [1e-4, 1e-1]},
}


def by_method(params: dict[str, Any]) -> float:
    """Be best, at 0, for pkd of weight 1 and 4 levels; bckd comes to -1 at most."""
    method = params["method"]
    if method["kind"] == "bckd":
        return -1 - abs(method["alpha1"] - 1.3)
    return -abs(math.log10(method["weight"])) - abs(method["levels"] - 4) / 4


def test_ranges_inside_a_mapping_are_learnt_from() -> None:
    early, late = list[float](), list[float]()
    for seed in range(4):
        sampler = TpeSampler(searching(space=CONDITIONAL, samples=40, seed=seed))
        for number in range(40):
            suggestion = sampler.suggest()
            assert suggestion is not None
            sampler.add_running(suggestion)
            value = by_method(suggestion.params)
            sampler.tell(number, (value,))
            (early if number < 10 else late if number >= 30 else []).append(value)  # the first ten are random
    assert sum(late) / len(late) > sum(early) / len(early) + 0.3


def test_ranges_inside_a_mapping_are_drawn_with_it_and_remembered() -> None:
    sampler = TpeSampler(searching(space=CONDITIONAL, samples=40))
    found: Answered = []
    for number in range(40):
        suggestion = sampler.suggest()
        assert suggestion is not None
        sampler.add_running(suggestion)
        value = by_method(suggestion.params)
        sampler.tell(number, (value,))
        found.append((suggestion, value))
    methods: list[Any] = [suggestion.params["method"] for suggestion, _ in found]
    assert {frozenset(method) for method in methods} == {
        frozenset({"kind", "alpha1"}), frozenset({"kind", "weight", "levels"}),
    }  # fmt: skip
    assert all(type(method["levels"]) is int for method in methods if method["kind"] == "pkd")
    for cut in (1, 12, 30):
        again = TpeSampler(searching(space=CONDITIONAL, samples=40))
        for suggestion, value in found[:cut]:
            again.add_running(suggestion)
            again.tell(suggestion.number, (value,))
        assert again.suggest() == found[cut][0]
    count = len(sampler._study.trials)
    sampler.add_prior({"method": {"kind": "pkd", "weight": 99.0, "levels": 2}, "schedule.lr": 0.01}, (9.0,))
    sampler.add_prior({"method": {"kind": "pkd", "weight": 1.0}, "schedule.lr": 0.01}, (9.0,))
    assert len(sampler._study.trials) == count  # neither is of this space
    sampler.add_prior({"method": {"kind": "bckd", "alpha1": 1.0}, "schedule.lr": 0.01}, (9.0,))
    assert len(sampler._study.trials) == count + 1


def test_two_objectives_find_both_ends() -> None:
    sampler = TpeSampler(
        searching(objectives=["ap", "steps"], space={"schedule.lr": {"uniform": [0.1, 0.9]}}, samples=40)
    )
    found = []
    for _ in range(40):
        suggestion = sampler.suggest()
        assert suggestion is not None
        sampler.add_running(suggestion)
        x = float(suggestion.params["schedule.lr"])  # type: ignore[arg-type]
        sampler.tell(suggestion.number, (x, -(x**2)))  # every point is on the front
        found.append(x)
    assert min(found) < 0.25
    assert max(found) > 0.75


def test_the_end_comes_after_the_samples() -> None:
    sampler = TpeSampler(searching(samples=2))
    ask_and_answer(sampler, 2)
    assert sampler.suggest() is None


def test_points_over_a_constraint_are_learnt_from_without_a_result() -> None:
    over = 0
    sampler = TpeSampler(searching(constraints={"parameters": 1.0}))
    for number in range(30):
        suggestion = sampler.suggest()
        assert suggestion is not None
        excess = suggestion.params["method.alpha1"] - 0.5  # a quarter of the space keeps to the constraint
        sampler.add_running(replace(suggestion, excess=(excess,)))
        sampler.tell(number, None if excess > 0 else (score(suggestion.params),))
        over += excess > 0 and number >= 15
    assert over <= 5  # of 15 points, of which a draw would lose 11


def test_constraints_go_with_several_objectives() -> None:
    sampler = TpeSampler(searching(constraints={"macs": 1.0}, objectives=["ap", "steps"]))
    for number in range(14):
        suggestion = sampler.suggest()
        assert suggestion is not None
        excess = suggestion.params["method.alpha1"] - 1.0
        sampler.add_running(replace(suggestion, excess=(excess,)))
        sampler.tell(number, None if excess > 0 else (score(suggestion.params), -1.0))
    assert sampler.suggest() is not None


def test_a_search_that_drew_each_key_by_itself_goes_on_so() -> None:
    answered = [
        (replace(suggestion, by=""), value) for suggestion, value in ask_and_answer(TpeSampler(searching()), 16)
    ]
    older, newer = TpeSampler(searching()), TpeSampler(searching())
    for suggestion, value in answered:
        older.add_running(suggestion)
        newer.add_running(replace(suggestion, by=JOINTLY))
        for sampler in (older, newer):
            sampler.tell(suggestion.number, None if value is None else (value,))
    old, new = older.suggest(), newer.suggest()
    assert old is not None
    assert new is not None
    assert (old.by, new.by) == ("", JOINTLY)
    assert "by" not in old.event()  # as that release writes it
    assert old.params == drawn_by_optuna(older, multivariate=False)
    assert new.params == drawn_by_optuna(newer, multivariate=True)
    assert old.params != new.params


def drawn_by_optuna(sampler: TpeSampler, *, multivariate: bool) -> dict[str, Any]:
    """Return the 17th point that Optuna itself proposes, given the same trials."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        own = optuna.samplers.TPESampler(
            n_startup_trials=7, constant_liar=True, seed=seed_of(0, "tpe", 16), multivariate=multivariate
        )
    study = optuna.create_study(direction="maximize", sampler=own)
    study.add_trials(sampler._study.get_trials())
    drawn = study.ask({key: distribution_of(domain) for key, domain in searching().search.space.items()}).params
    lists = {key: domain for key, domain in searching().search.space.items() if isinstance(domain, tuple)}
    return {key: lists[key][value] if key in lists else value for key, value in drawn.items()}
