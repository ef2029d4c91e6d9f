"""Check that a search makes sense: its keys exist, its values are what its algorithm can use, nothing comes twice."""

from collections.abc import Iterator, Sequence

from orchestrator.fingerprint import canonical_json
from orchestrator.study.checks.context import Context
from orchestrator.study.fields import known_keys
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.schema import Search, Study
from orchestrator.study.space import MAX_TRIALS, size
from orchestrator.study.variants import searchable_keys
from orchestrator.study.wording import did_you_mean, inline

SPACE: KeyPath = ("search", "space")
SEEDS = ("seed", "seeds", "search.seed", "search.seeds")


def check_search(context: Context) -> Iterator[Problem]:
    """Yield what is wrong with the search itself."""
    search = context.study.search
    for key in search.space:
        yield from _check_key(key)
    yield from _check_algorithm(search)
    yield from _check_size(search)
    yield from _check_repetition(search)


def _check_key(key: str) -> Iterator[Problem]:
    path: KeyPath = (*SPACE, key)
    if key in searchable_keys():
        return
    if key in SEEDS:
        yield Problem(path, "seeds are listed in search.seeds: every point runs with each of them")
    elif key in known_keys(Study):
        yield Problem(path, "cannot be searched: only keys of method, student and schedule can")
    else:
        yield Problem(path, f"unknown key to search{_suggestion(key)}")


def _suggestion(key: str) -> str:
    """Point to the searchable key that was probably meant, also when its section was left out."""
    same_name = [known for known in searchable_keys() if known.endswith(f".{key}")]
    return f" (did you mean {same_name[0]}?)" if same_name else did_you_mean(key, searchable_keys())


def _check_algorithm(search: Search) -> Iterator[Problem]:
    if search.algorithm == "grid":
        if search.samples is not None:
            yield Problem(("search", "samples"), "belongs to algorithm: random; a grid tries every combination")
        for key, domain in search.space.items():
            if not isinstance(domain, tuple):
                yield Problem((*SPACE, key), "a distribution needs algorithm: random; a grid needs a list of values")
        return
    if search.samples is None:
        yield Problem(("search", "algorithm"), "random needs samples: the number of points to draw")
    if not search.space:
        yield Problem(("search", "algorithm"), "random needs a search.space to draw from")


def _check_size(search: Search) -> Iterator[Problem]:
    trials = size(search) * len(search.seeds)
    if trials > MAX_TRIALS:
        yield Problem(("search",), f"makes {trials} trials, more than {MAX_TRIALS}")


def _check_repetition(search: Search) -> Iterator[Problem]:
    yield from _repeated(search.seeds, ("search", "seeds"))
    for key, domain in search.space.items():
        if isinstance(domain, tuple):
            yield from _repeated(domain, (*SPACE, key))


def _repeated(values: Sequence[object], path: KeyPath) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        identity = canonical_json(value)
        if identity in seen:
            yield Problem((*path, index), f"{inline(value)} is given twice")
        seen.add(identity)
