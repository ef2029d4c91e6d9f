"""A search algorithm is a section; its bare name is short for one without keys of its own, and is written as before."""

import json
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from orchestrator.search.factory import sampler_of
from orchestrator.study.algorithms import BUILT_IN, Algorithm, Optuna, algorithms
from orchestrator.study.schema import Search, StudySpec
from trainers.schema.base import kind_of
from trainers.schema.plugins import BrokenPlugin, by_kind, resolved

KINDS = [kind_of(section) for section in BUILT_IN]


def search(algorithm: Any) -> Search:
    return Search.model_validate_json(json.dumps({"algorithm": algorithm}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_bare_name_is_short_for_its_section(kind):
    assert search(kind) == search({"kind": kind}) == Search(algorithm=kind)
    assert search(kind).model_dump(mode="json")["algorithm"] == kind  # as it stands in stores and fingerprints
    assert Search.model_validate_json(search(kind).model_dump_json()) == search(kind)


def test_a_key_of_its_own_is_kept_in_the_section():
    class Annealing(Algorithm):
        kind: Literal["annealing"]
        cooling: float = 0.9

    found = Search.model_construct(algorithm=Annealing(kind="annealing", cooling=0.5)).model_dump(
        mode="json", include={"algorithm"}
    )
    assert found == {"algorithm": {"kind": "annealing", "cooling": 0.5}}


@pytest.mark.parametrize("value", ["optunna", 3, None, ["grid"]])
def test_another_value_is_told_the_names(value):
    with pytest.raises(ValidationError) as caught:
        search(value)
    [error] = caught.value.errors()
    assert (error["type"], error["loc"]) == ("literal_error", ("algorithm",))
    assert error["ctx"] == {"expected": "'grid', 'random', 'optuna' or 'pbt'"}


def test_every_open_algorithm_names_a_sampler_that_is_there():
    study = StudySpec.model_construct(search=Search(algorithm="grid", samples=4, space={"schedule.lr": (0.1, 0.2)}))  # type: ignore[call-arg]
    opened = {kind: found for kind, found in algorithms().items() if found.sampler}
    assert list(opened) == ["optuna", "pbt"]
    assert resolved(opened["optuna"].sampler, "optuna")(study).suggest() is not None
    assert callable(resolved(opened["pbt"].sampler, "pbt"))


class Halting:
    """Stand for a sampler whose author forgot two methods."""

    def __init__(self, study: StudySpec) -> None:
        self.study = study

    def suggest(self) -> None:
        """Propose nothing."""

    def add_prior(self, params: dict[str, object], values: tuple[float, ...]) -> None:
        """Take no note."""


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (f"{__name__}:Halting", r"Halting, which lacks add_running, tell of orchestrator\.search\.sampler\.Sampler"),
        (f"{__name__}:Haltign", "Haltign, which cannot be loaded: AttributeError"),
        ("my_own_sampler", "my_own_sampler, which cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_sampler_that_cannot_serve_is_refused_before_it_is_asked(place, reason, monkeypatch):
    monkeypatch.setattr(Optuna, "sampler", place)
    study = StudySpec.model_construct(search=Search(algorithm="optuna", samples=4))  # type: ignore[call-arg]
    with pytest.raises(BrokenPlugin, match=rf"orchestrator\.study\.algorithms\.Optuna\.sampler names .*{reason}"):
        sampler_of(study)


def test_two_algorithms_of_one_kind_are_refused():
    class Another(Algorithm):
        kind: Literal["optuna"]

    with pytest.raises(
        BrokenPlugin, match=r"Another \(g\) has the kind optuna, which orchestrator\.study\.algorithms\.Optuna has too"
    ):
        by_kind(BUILT_IN, (Another,), "g")


def test_an_algorithm_without_a_kind_is_refused():
    class Nameless(Algorithm):
        pass

    with pytest.raises(BrokenPlugin, match=r"Nameless \(g\) has no kind"):
        by_kind(BUILT_IN, (Nameless,), "g")
