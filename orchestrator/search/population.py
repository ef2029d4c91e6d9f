"""Propose the segments of a population (population-based training, Jaderberg et al. 2017, arXiv:1711.09846)."""

import math
import random
from typing import Any

from pydantic import JsonValue

from orchestrator.plan.draws import seed_of
from orchestrator.plan.suggestion import Suggestion
from orchestrator.search.sampler import Values
from orchestrator.study.fidelity import schedule_of
from orchestrator.study.ranges import Range
from orchestrator.study.schema import Domain, Population, Search, StudySpec
from orchestrator.study.space import draw


class PopulationSampler:
    """Propose generations of segments: all members train up to a common barrier, then the worst copy the best.

    A member of the lower quantile goes on from the state of a random member of the upper one, with its values changed;
    all others go on from their own states. A failed member does the same, because it has no state. Nothing is proposed
    before all results of the generation before are there.
    """

    def __init__(self, study: StudySpec) -> None:
        search, epochs = study.search, schedule_of(study).epochs or 1
        self._search, self._epochs, self._size = search, epochs, search.samples or 1
        self._generations = math.ceil(epochs / search.population.every_epochs)
        self._asked: list[Suggestion] = []
        self._scores: dict[int, float | None] = {}

    def suggest(self) -> Suggestion | None:
        """Return the next segment; ``None`` while the generation before trains, and at the end."""
        number = len(self._asked)
        generation, slot = divmod(number, self._size)
        until = min((generation + 1) * self._search.population.every_epochs, self._epochs)
        if generation >= self._generations:
            return None
        chance = random.Random(seed_of(self._search.seed, "population", number))
        if generation == 0:
            return Suggestion(number, {key: draw(domain, chance) for key, domain in self._search.space.items()}, until)
        before = range(number - slot - self._size, number - slot)
        if any(earlier not in self._scores for earlier in before):
            return None
        return self._successor(number, number - self._size, list(before), until, chance)

    def add_running(self, suggestion: Suggestion) -> None:
        """Record a segment that is being trained."""
        self._asked.append(suggestion)

    def tell(self, number: int, values: Values | None) -> None:
        """Record a segment's result."""
        self._scores[number] = values[0] if values else None

    def add_prior(self, params: dict[str, Any], values: Values) -> None:
        """Do nothing: a population begins from its own states."""

    def _successor(
        self, number: int, own: int, before: list[int], until: int, chance: random.Random
    ) -> Suggestion | None:
        scored = [earlier for earlier in before if self._scores[earlier] is not None]
        if not scored:
            return None  # everybody failed
        ranked = sorted(scored, key=lambda earlier: (-(self._scores[earlier] or 0.0), earlier))
        share = min(math.ceil(len(before) * self._search.population.quantile), len(before) // 2)
        best, kept = ranked[: max(share, 1)], ranked[: len(before) - share]
        if own in kept:
            return Suggestion(number, self._asked[own].params, until, own, self._until(own))
        donor = chance.choice(best)
        params = explored(self._asked[donor].params, self._search, chance)
        return Suggestion(number, params, until, donor, self._until(donor))

    def _until(self, number: int) -> int:
        return self._asked[number].until_epoch or 0


def explored(params: dict[str, JsonValue], search: Search, chance: random.Random) -> dict[str, JsonValue]:
    """Return changed values, each within its domain."""
    return {key: _changed(params[key], search.space[key], search.population, chance) for key in search.space}


def _changed(value: Any, domain: Domain, population: Population, chance: random.Random) -> JsonValue:
    if chance.random() < population.resample:
        return draw(domain, chance)
    if isinstance(domain, Range):
        return domain.nearest(float(value) * chance.choice(population.factors))
    place = domain.index(value) + chance.choice((-1, 1))
    return domain[min(max(place, 0), len(domain) - 1)]
