"""Propose points by Optuna's tree-structured Parzen estimator (TPE), for one objective or for several (Pareto)."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from pydantic import JsonValue

from orchestrator.plan.draws import random_first, seed_of
from orchestrator.plan.suggestion import Suggestion
from orchestrator.search.sampler import Values
from orchestrator.study.conditional import Place, filled, numbers_in, ranges_in
from orchestrator.study.ranges import Range
from orchestrator.study.schema import Domain, StudySpec
from orchestrator.study.space import ListedValues

JOINTLY = "multivariate"  # keys are drawn together; earlier releases drew each by itself
optuna.logging.set_verbosity(optuna.logging.ERROR)


class TpeSampler:
    """Propose the point of which most is expected, given the results so far.

    The sampler is made anew for each proposal, seeded by the search's seed and the proposal's number: nothing but
    points and results has to survive a restart. Points that are being tried count as bad ones, so that proposals made
    side by side differ.

    Keys are drawn together (multivariate TPE), so that values that are good only with each other are found. A search
    that an earlier release began, which drew each key by itself, goes on in that way.
    """

    def __init__(self, study: StudySpec) -> None:
        search = study.search
        self._space, self._seed, self._samples = search.space, search.seed, search.samples or 0
        self._distributions = {key: distribution_of(domain) for key, domain in search.space.items()}
        self._inner = {key: _inner(domain) for key, domain in search.space.items()}
        self._bounded = tuple(search.constraints.given)
        self._by = JOINTLY
        directions = [optuna.study.StudyDirection.MAXIMIZE] * len(search.objectives)
        self._study = optuna.create_study(directions=directions, sampler=self._sampler(0))
        self._over: set[int] = set()
        self._numbers: dict[int, int] = {}  # Optuna's numbers by ours: results from elsewhere have numbers too

    def suggest(self) -> Suggestion | None:
        """Return the next point; ``None`` at the end."""
        number = len(self._numbers)
        if number >= self._samples:
            return None
        sampler = self._sampler(seed_of(self._seed, "tpe", number))
        scratch = optuna.create_study(directions=self._study.directions, sampler=sampler)
        scratch.add_trials(self._study.get_trials(deepcopy=False))
        asked = scratch.ask(self._distributions)
        return Suggestion(number, {key: self._value(key, asked) for key in self._space}, by=self._by)

    def add_running(self, suggestion: Suggestion) -> None:
        """Record a point that is being tried. The first one says how the search draws."""
        if not self._numbers:
            self._by = suggestion.by
        self._numbers[suggestion.number] = len(self._study.get_trials(deepcopy=False))
        running = optuna.trial.TrialState.RUNNING
        self._study.add_trial(self._trial(suggestion.params, running, excess=suggestion.excess))
        self._over |= {suggestion.number} if suggestion.is_left_out else set()

    def tell(self, number: int, values: Values | None) -> None:
        """Record a point's results. One over a constraint has none, and counts as worse than all that keep to them."""
        over = optuna.trial.TrialState.PRUNED if number in self._over else optuna.trial.TrialState.FAIL
        state = None if values else over
        self._study.tell(self._numbers[number], list(values) if values else None, state=state)

    def add_prior(self, params: dict[str, Any], values: Values) -> None:
        """Record an earlier result from elsewhere; ignore one outside of the space."""
        try:
            trial = self._trial(params, optuna.trial.TrialState.COMPLETE, list(values))
        except (ValueError, KeyError):
            return
        self._study.add_trial(trial)

    def _sampler(self, seed: int) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(
                n_startup_trials=random_first(self._samples),
                multivariate=self._by == JOINTLY,
                group=any(map(any, self._inner.values())),  # else a key that some points lack is drawn by itself
                constant_liar=True,
                seed=seed,
            )

    def _trial(
        self, params: dict[str, Any], state: Any, values: list[float] | None = None, excess: tuple[float, ...] = ()
    ) -> Any:
        drawn = {name: value for key in self._space for name, value in self._drawn(key, params[key])}
        inner = {
            _name(key, found, place): _range(known)
            for key in self._space
            for found, ranges in enumerate(self._inner[key])
            for place, known in ranges.items()
        }
        distributions = {
            name: distribution for name, distribution in (self._distributions | inner).items() if name in drawn
        }
        return optuna.trial.create_trial(
            state=state,
            values=values,
            params=drawn,
            distributions=distributions,
            constraints=dict(zip(self._bounded, excess, strict=False)),  # results from elsewhere have none
        )

    def _value(self, key: str, asked: Any) -> JsonValue:
        """Return a key's value; ranges inside a listed mapping are drawn when that is chosen."""
        domain, drawn = self._space[key], asked.params[key]
        if not isinstance(domain, tuple):
            return domain.nearest(drawn)
        ranges = self._inner[key][drawn].items()
        numbers = {place: known.nearest(_suggested(asked, _name(key, drawn, place), known)) for place, known in ranges}
        return filled(domain[drawn], numbers)

    def _drawn(self, key: str, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield a value as Optuna knows it, by name; raise ``ValueError`` for one that is not in the space."""
        domain = self._space[key]
        if not isinstance(domain, tuple):
            yield key, _number(domain, value)
            return
        place = ListedValues(domain).place_of(value)
        if place is None:
            raise ValueError(f"{value} is not in the space")
        yield key, place
        numbers = numbers_in(domain[place], value) or {}
        yield from (
            (_name(key, place, inner), _number(self._inner[key][place][inner], number))
            for inner, number in numbers.items()
        )


def _inner(domain: Domain) -> list[Mapping[Place, Range]]:
    """Return the ranges inside each listed value."""
    return list(map(ranges_in, domain)) if isinstance(domain, tuple) else []


def _name(key: str, place: int, inner: Place) -> str:
    """Return Optuna's name of a range inside a listed value."""
    return f"{key}[{place}].{'.'.join(inner)}"


def _suggested(asked: Any, name: str, domain: Range) -> Any:
    known = _range(domain)
    if domain.whole:
        return asked.suggest_int(name, known.low, known.high, step=known.step, log=known.log)
    return asked.suggest_float(name, known.low, known.high, step=known.step, log=known.log)


def _range(domain: Range) -> Any:
    if domain.whole:
        low, high, step = (int(number) for number in (*domain.ends, domain.width or 1))
        return optuna.distributions.IntDistribution(low, high, log=domain.logarithmic, step=step)
    return optuna.distributions.FloatDistribution(*domain.ends, log=domain.logarithmic, step=domain.width)


def _number(domain: Range, value: Any) -> float | int:
    """Return a value of a range as Optuna has it; raise ``ValueError`` for one between integers."""
    number = float(value)
    if not domain.whole:
        return number
    if not number.is_integer():
        raise ValueError(f"{value} is no integer")
    return int(number)


def distribution_of(domain: Domain) -> Any:
    """Return Optuna's form of a searched key; of a list the place is drawn, of rising numbers near ones are alike."""
    if isinstance(domain, Range):
        return _range(domain)
    numbers = [item for item in domain if isinstance(item, int | float) and not isinstance(item, bool)]
    if len(numbers) == len(domain) and numbers == sorted(numbers):
        return optuna.distributions.IntDistribution(0, len(domain) - 1)
    return optuna.distributions.CategoricalDistribution(range(len(domain)))
