"""Work out which forms the search gives to one section of a study, and which searched values fit in none."""

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import JsonValue, ValidationError

from orchestrator.study.conditional import ends_of, ranges_in
from orchestrator.study.drawable import undrawable
from orchestrator.study.fingerprint import canonical_json
from orchestrator.study.location import KeyPath, Problem, dotted
from orchestrator.study.messages import explain
from orchestrator.study.ranges import Range
from orchestrator.study.schema import Search, StudySpec
from orchestrator.study.space import MAX_TRIALS, ListedValues, points, size, values_of
from orchestrator.study.substitute import (
    Params,
    SectionName,
    annotation_of,
    raw_section,
    searchable_keys,
    section_of,
    validated,
)
from orchestrator.study.wording import inline

MOST_PROBLEMS = 20  # of one section: a grid repeats the same mistake in many combinations
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Variant(Generic[T]):
    """Hold one form of a section; ``sources`` maps the keys that the search sets to where their values stand."""

    section: T
    name: SectionName
    sources: dict[str, KeyPath]

    def origin(self, *fields: str) -> KeyPath:
        """Return where this form got a field's value: in the search space, or else in the section itself."""
        path = (self.name, *fields)
        above = (".".join(path[:length]) for length in range(len(path), 0, -1))
        return next((self.sources[key] for key in above if key in self.sources), path)


@dataclass(frozen=True, slots=True)
class Forms(Generic[T]):
    """Hold the forms of one section, and a problem for each searched value that does not fit."""

    variants: tuple[Variant[T], ...]
    problems: tuple[Problem, ...]


def forms_of(study: StudySpec, name: SectionName) -> Forms[Any]:
    """Return all forms that the trials of a study can have of one section."""
    keys = [key for key in study.search.space if section_of(key) == name and key in searchable_keys()]
    wrong = [problem for key in keys for problem in undrawable(key, study.search.space[key])]
    keys = [] if wrong else keys  # values that nobody draws say nothing about the others
    places = _places(study.search, keys)
    variants: list[Variant[Any]] = []
    problems = {(problem.path, problem.message): problem for problem in wrong}
    for params in _combinations(study.search, keys):
        raw = raw_section(study, name, params)
        if raw is None and not params:  # a study without a teacher
            continue
        misfits = _misfits(study, name, params)
        if not misfits:
            variants.append(Variant(validated(name, raw), name, _sources(study.search, places, params)))
        for misfit in misfits:
            problem = _blamed(study, places, name, params, misfit)
            if not _drawn(study, problem, problems):
                problems[problem.path, problem.message] = problem
        if len(problems) >= MOST_PROBLEMS:
            break
    return Forms(tuple(variants), tuple(problems.values()))


def _places(search: Search, keys: Collection[str]) -> dict[str, ListedValues]:
    """Return how to find values in the lists of some keys."""
    return {key: ListedValues(domain) for key in keys if isinstance(domain := search.space[key], tuple)}


def _value_path(search: Search, places: dict[str, ListedValues], key: str, value: JsonValue) -> KeyPath:
    """Return where a searched value stands: its place in a list, its end of a distribution, or else its key."""
    domain = search.space[key]
    path: KeyPath = ("search", "space", key)
    if isinstance(domain, tuple):
        place = places[key].place_of(value)
        return path if place is None else (*path, place)
    return (*path, domain.key(), domain.ends.index(value)) if value in domain.ends else path  # else it was drawn


def _drawn(study: StudySpec, problem: Problem, told: Collection[tuple[KeyPath, str]]) -> bool:
    """Return whether a problem is of a value that was drawn from a range whose ends are told to be wrong."""
    length = len(problem.path)
    if any(len(path) > length and path[:length] == problem.path for path, _ in told):
        return True
    domain = study.search.space.get(str(problem.path[2])) if length > 3 else None
    inside = isinstance(domain, tuple) and ranges_in(domain[int(problem.path[3])])
    return bool(inside) and any(path == problem.path for path, _ in told)


def _combinations(search: Search, keys: list[str]) -> Iterator[Params]:
    """Yield the combinations of values that trials can have for ``keys``, each once."""
    if size(search) > MAX_TRIALS or not keys:
        yield {}
        return
    seen: set[str] = set()
    for params in _draws(search, keys) if search.algorithm.draws else _grid(search, keys):
        identity = canonical_json(params)
        if identity not in seen:
            seen.add(identity)
            yield params


def _grid(search: Search, keys: list[str]) -> Iterator[dict[str, JsonValue]]:
    for values in itertools.product(*(values_of(search.space[key]) for key in keys)):
        yield dict(zip(keys, values, strict=True))


def _draws(search: Search, keys: list[str]) -> Iterator[dict[str, JsonValue]]:
    """Yield each choice and each end of a distribution once, then the actual draws."""
    usual = {key: values_of(search.space[key])[0] for key in keys}
    for key in keys:
        for value in values_of(search.space[key]):
            yield usual | {key: value}
    for params in points(search):
        yield {key: params[key] for key in keys}


def _sources(search: Search, places: dict[str, ListedValues], params: Params) -> dict[str, KeyPath]:
    found: dict[str, KeyPath] = {}
    for key, value in params.items():
        found |= _leaves(key, value, _value_path(search, places, key, value))
    return found


def _leaves(key: str, value: JsonValue, path: KeyPath) -> dict[str, KeyPath]:
    """Return the single keys that a searched value sets, with where each stands."""
    if not isinstance(value, dict):
        return {key: path}
    return {
        name: place
        for part, item in value.items()
        for name, place in _leaves(f"{key}.{part}", item, (*path, part)).items()
    }


def _written_part(search: Search, place: KeyPath, within: KeyPath) -> KeyPath:
    """Return as many keys of ``within`` as the listed value at ``place`` has, so that a mistake is told at its own line."""
    domain = search.space[str(place[2])]
    if not isinstance(domain, tuple) or len(place) == len(("search", "space", "key")):
        return ()
    found: Any = domain[int(place[3])]
    for length, key in enumerate(within):
        if not (key in found if isinstance(found, dict) else isinstance(found, list) and isinstance(key, int)):
            return within[:length]
        found = found[key]
    return within


def _misfits(study: StudySpec, name: SectionName, params: Params) -> list[Problem]:
    """Return the problems of a section that has these searched values, with paths within the section."""
    raw = raw_section(study, name, params)
    try:
        validated(name, raw)
    except ValidationError as error:
        return explain(error, annotation_of(name), raw, (name,))
    return []


def _culprits(study: StudySpec, name: SectionName, params: Params, misfit: Problem) -> Params:
    """Return the searched values that a misfit takes: with another one of the same key, or without it, there is none."""
    needed = {key for key in params if misfit not in _misfits(study, name, _otherwise(study.search, params, key))}
    return {key: value for key, value in params.items() if key in needed or not needed}


def _otherwise(search: Search, params: Params, key: str) -> Params:
    """Return searched values with another one of a key; without the key where it has only one."""
    domain = search.space[key]
    listed = domain.ends if isinstance(domain, Range) else (value for item in domain for value in ends_of(item))
    others = (value for value in listed if value != params[key])
    rest = {other: value for other, value in params.items() if other != key}
    return next(({**params, key: value} for value in others), rest)


def _blamed(
    study: StudySpec, places: dict[str, ListedValues], name: SectionName, params: Params, misfit: Problem
) -> Problem:
    """Turn a problem of a section into one of the searched value that caused it; another one stands beside it."""
    search, field = study.search, dotted((name, *misfit.path))
    above = [key for key in params if field == key or field.startswith(f"{key}.")]
    needed = _culprits(study, name, params, misfit)
    key = max(above, key=len) if above else _told_of(needed, misfit.message)
    place = _value_path(search, places, key, params[key])
    others = [_value_path(search, places, other, needed[other]) for other in needed if other != key]
    beside = others[0] if others else None
    if above:
        inner = field.removeprefix(key).removeprefix(".")
        within = misfit.path[key.count(".") :]
        message = f"value {inline(params[key])}: {inner + ': ' if inner else ''}{misfit.message}"
        return Problem((*place, *_written_part(search, place, within)), message, beside=beside)
    setting = ", ".join(f"{key} = {inline(value)}" for key, value in needed.items())
    return Problem(place, f"with {setting}: {field}: {misfit.message}", beside=beside)


def _told_of(params: Params, message: str) -> str:
    """Return the searched key that a message speaks of first, else the last."""
    words = re.findall(r"\w+", message)
    named = [(words.index(word), key) for key, value in params.items() for word in _names(key, value) if word in words]
    return min(named)[1] if named else list(params)[-1]


def _names(key: str, value: JsonValue) -> list[str]:
    """Return the names, without their sections, of the keys that a searched value sets."""
    return [name.rpartition(".")[2] for name in _leaves(key, value, ())]
