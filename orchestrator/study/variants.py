"""Work out which forms the search gives to one section of a study, and which searched values fit in none."""

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from pydantic import JsonValue, ValidationError

from orchestrator.study.conditional import ranges_in
from orchestrator.study.fields import known_keys
from orchestrator.study.fingerprint import canonical_json
from orchestrator.study.location import KeyPath, Problem, dotted
from orchestrator.study.messages import explain
from orchestrator.study.schema import Search, StudySpec
from orchestrator.study.space import MAX_TRIALS, ListedValues, points, size, values_of
from orchestrator.study.substitute import (
    Params,
    SectionName,
    annotation_of,
    is_searchable,
    raw_section,
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


@cache
def searchable_keys() -> tuple[str, ...]:
    """Return every key that a search may vary."""
    return tuple(key for key in known_keys(StudySpec) if is_searchable(key))


def forms_of(study: StudySpec, name: SectionName) -> Forms[Any]:
    """Return all forms that the trials of a study can have of one section."""
    keys = [key for key in study.search.space if section_of(key) == name and key in searchable_keys()]
    places = _places(study.search, keys)
    variants: list[Variant[Any]] = []
    problems: dict[tuple[KeyPath, str], Problem] = {}
    for params in _combinations(study.search, keys):
        raw = raw_section(study, name, params)
        if raw is None and not params:  # a study without a teacher
            continue
        try:
            variants.append(Variant(validated(name, raw), name, _sources(study.search, places, params)))
        except ValidationError as error:
            misfits = explain(error, annotation_of(name), raw)
            found = [_misfit(study.search, places, name, params, misfit) for misfit in misfits]
            problems |= {
                (problem.path, problem.message): problem for problem in found if not _drawn(study, problem, problems)
            }
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


def _misfit(
    search: Search, places: dict[str, ListedValues], name: SectionName, params: Params, problem: Problem
) -> Problem:
    """Turn a problem of a section into one of the searched value that caused it, as far as that is known."""
    field = dotted((name, *problem.path))
    above = [key for key in params if field == key or field.startswith(f"{key}.")]
    key = max(above, key=len) if above else list(params)[-1]
    place = _value_path(search, places, key, params[key])
    if above:
        inner = field.removeprefix(key).removeprefix(".")
        within = problem.path[key.count(".") :]
        return Problem(
            (*place, *_written_part(search, place, within)),
            f"value {inline(params[key])}: {inner + ': ' if inner else ''}{problem.message}",
        )
    setting = ", ".join(f"{key} = {inline(value)}" for key, value in params.items())
    return Problem(place, f"with {setting}: {field}: {problem.message}")
