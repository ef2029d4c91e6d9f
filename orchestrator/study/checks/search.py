"""Check that a search makes sense: its keys exist, its values suit its algorithm, nothing comes twice."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import get_type_hints

from orchestrator.study.algorithms import algorithms
from orchestrator.study.checks.context import Context
from orchestrator.study.fields import alternatives_of, is_section, known_keys
from orchestrator.study.fingerprint import canonical_json
from orchestrator.study.foreign_words import translation
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.misplaced import whole_list
from orchestrator.study.schema import Asha, Domain, Fifo, HyperBand, Pasha, Population, Search, StudySpec, Waiting
from orchestrator.study.space import MAX_TRIALS, is_listed, is_open, size
from orchestrator.study.substitute import SEARCHABLE, searchable_keys, section_of
from orchestrator.study.wording import alternatives, counted, did_you_mean, enumeration, inline
from trainers.schema.image_pipeline import AUGMENTATION
from trainers.schema.method import MethodSpec
from trainers.schema.terms import Temperature, TermWeight, Weight

SPACE: KeyPath = ("search", "space")
# What can change in the midst of a training, beside weights of losses and temperatures.
EVOLVING = ("method.gamma", "schedule.lr", "schedule.optimizer.weight_decay", "schedule.clip_grad")
EVOLVES = f"weights of losses, temperatures, {enumeration(EVOLVING)}"
SEEDS = ("seed", "seeds", "search.seed", "search.seeds")


def check_search(context: Context) -> Iterator[Problem]:
    """Yield the problems of the search itself."""
    search = context.study.search
    for key in search.space:
        yield from _check_key(key)
    yield from _check_values(search)
    yield from _check_algorithm(search)
    yield from _check_size(search)
    yield from _check_repetition(search)


def _check_key(key: str) -> Iterator[Problem]:
    path: KeyPath = (*SPACE, key)
    if key in searchable_keys():
        return
    if key in SEEDS:
        yield Problem(path, "seeds are listed in search.seeds: every point runs with each of them")
    elif key in known_keys(StudySpec):
        yield Problem(path, _why_not(key))
    else:
        yield Problem(path, f"unknown key to search{_suggestion(key)}")


def _why_not(key: str) -> str:
    """Return why a key of a study cannot be searched."""
    if section_of(key) == "dataset":
        return f"cannot be searched, because it changes more than training images: of dataset, {_augmentation()} can"
    return f"cannot be searched: only keys of {enumeration(SEARCHABLE)} can"


def _augmentation() -> str:
    return enumeration(AUGMENTATION)


def _check_values(search: Search) -> Iterator[Problem]:
    """Yield teachers that are drawn, and listed datasets that set more than the augmentation."""
    for key, domain in search.space.items():
        if section_of(key) == "teacher" and not is_listed(domain):
            message = "a teacher is trained or evaluated before its students: give a list of values, not a distribution"
            yield Problem((*SPACE, key), message)
        for index, value in enumerate(domain) if key == "dataset" and isinstance(domain, tuple) else ():
            for name in value if isinstance(value, dict) else ():
                if name not in AUGMENTATION and f"dataset.{name}" in known_keys(StudySpec):
                    yield Problem((*SPACE, key, index, name), _why_not(f"dataset.{name}"))


def _suggestion(key: str) -> str:
    """Point to the searchable key that was probably meant, also when its section was left out or another tool's word used."""
    foreign = translation(key.rpartition(".")[2])
    if foreign is not None and foreign.key in searchable_keys():
        return f" (did you mean {foreign.key}?)"
    whole = whole_list(key)
    if whole is not None:
        return f": {whole} is searched as a whole, with whole lists as its values"
    same_name = [known for known in searchable_keys() if known.endswith(f".{key}")]
    return f" (did you mean {same_name[0]}?)" if same_name else did_you_mean(key, searchable_keys())


def _check_algorithm(search: Search) -> Iterator[Problem]:
    algorithm = search.algorithm
    if not algorithm.draws:
        if search.samples is not None:
            yield Problem(("search", "samples"), f"belongs to {_those_that('samples')}; a grid tries every combination")
        for key, domain in search.space.items():
            if not is_listed(domain):
                yield Problem(
                    (*SPACE, key), f"a distribution needs {_those_that('samples')}; a grid needs a list of values"
                )
        return
    if search.samples is None:
        yield Problem(("search", "algorithm"), f"{algorithm.kind} needs samples: {algorithm.samples}")
    if not search.space:
        yield Problem(SPACE, f"algorithm {algorithm.kind} needs values to draw from: give keys and their values")


def _those_that(ability: str) -> str:
    """Name the algorithms that can do something, for a message."""
    return f"algorithm: {alternatives(kind for kind, found in algorithms().items() if getattr(found, ability))}"


def check_open_search(context: Context) -> Iterator[Problem]:
    """Yield settings that conflict with a search whose points follow from results."""
    search = context.study.search
    if not search.algorithm.takes_objectives and search.objectives != ("ap",):
        message = f"belongs to {_those_that('takes_objectives')}; others look at AP alone"
        yield Problem(("search", "objectives"), message)
    if not search.algorithm.takes_warm_start:
        if search.warm_start is not None:
            message = f"belongs to {_those_that('takes_warm_start')}; others learn nothing from results"
            yield Problem(("search", "warm_start"), message)
    elif search.warm_start is not None and search.objectives != ("ap",):
        yield Problem(("search", "warm_start"), "gives AP alone: it does not go with other objectives")
    if search.warm_start is not None and any(section_of(key) == "teacher" for key in search.space):
        message = (
            "does not go with a searched teacher: results of other studies do not say which of these values it had"
        )
        yield Problem(("search", "warm_start"), message)
    if len(set(search.objectives)) < len(search.objectives):
        yield Problem(("search", "objectives"), "an objective is given twice")
    if isinstance(search.scheduler, Waiting):
        yield from _check_brackets(context)


def _check_brackets(context: Context) -> Iterator[Problem]:
    """Yield settings that conflict with HyperBand and PASHA, which must know all trials and see each epoch."""
    search, path, kind = context.study.search, ("search", "scheduler"), context.study.search.scheduler.kind
    if is_open(search):
        yield Problem(path, f"{kind} has to know all trials beforehand: use asha with {search.algorithm.kind}")
    if context.study.scaling.max_concurrent != "auto":
        message = f"{kind} pauses trials, which max_concurrent would count: leave it at auto, give cpus_per_worker"
        yield Problem(("scaling", "max_concurrent"), message)
    for variant in context.schedules:
        if variant.section.val_interval != 1:
            message = (
                f"{kind} decides after each epoch, and there is an evaluation every {variant.section.val_interval}"
            )
            yield Problem(variant.origin("val_interval"), message)
        if variant.section.epochs is None:
            yield Problem(variant.origin("epochs"), f"{kind} counts epochs, and this schedule has none")


def check_race(context: Context) -> Iterator[Problem]:
    """Yield settings that conflict with a race over seeds."""
    search, path = context.study.search, ("search", "racing")
    if search.racing is None:
        return
    if is_open(search):
        known = alternatives(kind for kind, found in algorithms().items() if not found.sampler)
        yield Problem(path, f"a race compares points that are known beforehand: it needs algorithm: {known}")
    elif size(search) == 1:
        wider = "raise search.samples" if search.algorithm.draws else "give keys of search.space several values"
        message = f"a race compares points, and this search has only one: {wider}"
        yield Problem(path, message, rests_on=(SPACE, ("search", "samples")))
    if isinstance(search.scheduler, HyperBand):
        yield Problem(
            path, "hyperband compares trials of one start, and a race adds some later: use fifo, asha or pasha"
        )
    if search.max_trials is not None:
        yield Problem(path, "a race decides itself how many trials it has: leave out search.max_trials")
    if len(search.seeds) < search.racing.least_seeds:
        have = counted(len(search.seeds), "seed in search.seeds is", "seeds in search.seeds are")
        message = f"{have} fewer than least_seeds ({search.racing.least_seeds})"
        yield Problem((*path, "least_seeds"), f"{message}: no point would ever leave", rests_on=(("search", "seeds"),))


def check_finalists(context: Context) -> Iterator[Problem]:
    """Yield settings of PASHA with which no trial can be stopped, because all go on to their ends."""
    search, path = context.study.search, ("search", "scheduler")
    points = size(search)
    trials, noun = (points, "points") if search.racing else (points * len(search.seeds), "trials")
    if not isinstance(search.scheduler, Pasha) or is_open(search) or not trials:
        return
    rests_on = (SPACE, ("search", "samples"), ("search", "seeds"))
    if trials == 1 and not search.racing:  # else the race says so
        message = "pasha compares trials, and this search has only one: use fifo"
        yield Problem(path, message, rests_on=rests_on)
    elif 1 < trials <= (search.scheduler.finalists or 0):
        message = f"must be below the number of {noun} ({trials}): otherwise all of them go on to their ends"
        yield Problem((*path, "finalists"), message, rests_on=rests_on)


def check_rungs(context: Context) -> Iterator[Problem]:
    """Yield schedules whose phase is not known by epochs."""
    rule = context.study.search.scheduler
    if not isinstance(rule, Asha | Pasha) or rule.rungs == "epoch":
        return
    for variant in context.schedules:
        if variant.section.epochs is None:
            message = "rungs: phase counts epochs, and this schedule has none: give epochs, or rungs: epoch"
            yield Problem(variant.origin("epochs"), message, rests_on=(("search", "scheduler", "rungs"),))


def check_population(context: Context) -> Iterator[Problem]:
    """Yield settings that conflict with a population: members share one schedule length and one kind of state."""
    study = context.study
    search = study.search
    if not search.algorithm.has_segments:
        if search.population != Population():
            yield Problem(("search", "population"), f"belongs to {_those_that('has_segments')}")
        return
    if study.fidelity == "smoke":
        yield Problem(("fidelity",), "smoke makes two steps, and a population counts whole epochs: use short")
    if search.samples is not None and search.samples < 2:
        yield Problem(("search", "samples"), "a population has at least 2 members")
    if len(search.seeds) > 1:
        yield Problem(("search", "seeds"), "a population has exactly one seed, because its members share batches")
    if not isinstance(search.scheduler, Fifo):
        yield Problem(
            ("search", "scheduler"),
            "a population stops no trial early: its worst members continue from the best; use fifo",
        )
    if study.schedule.epochs is None or study.schedule.iterations is not None:
        yield Problem(("schedule", "epochs"), "a population counts whole epochs: give epochs, without iterations")
    elif search.population.every_epochs >= study.schedule.epochs:
        message = (
            f"must be smaller than schedule.epochs ({study.schedule.epochs}); otherwise no exploit step ever happens"
        )
        yield Problem(("search", "population", "every_epochs"), message)
    if study.schedule.val_interval != 1 and search.population.every_epochs % study.schedule.val_interval:
        yield Problem(
            ("schedule", "val_interval"),
            "must divide search.population.every_epochs: a population is compared on evaluations",
        )
    yield from (problem for key in search.space for problem in _check_evolving(key, search.space[key]))


def _check_evolving(key: str, domain: Domain) -> Iterator[Problem]:
    """Yield why a value cannot change in the midst of a training."""
    if key not in evolving_keys():
        yield Problem((*SPACE, key), f"cannot change in the midst of a training: pbt changes {EVOLVES}")
    elif isinstance(domain, tuple) and not all(_is_number(value) for value in domain):
        yield Problem((*SPACE, key), "pbt changes numbers")


@cache
def evolving_keys() -> frozenset[str]:
    """Return the searched keys that a population can change: those of a method by the types of its sections."""
    sections = (item for item in alternatives_of(MethodSpec) if is_section(item))
    hints = (found for section in sections for found in get_type_hints(section, include_extras=True).items())
    return frozenset(
        {*EVOLVING, *(f"method.{key}" for key, hint in hints if hint in (Weight, TermWeight, Temperature))}
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_size(search: Search) -> Iterator[Problem]:
    trials = size(search) * len(search.seeds)
    if trials > MAX_TRIALS:
        seeds = f" with {len(search.seeds)} seeds each" if len(search.seeds) > 1 else ""
        message = f"makes {counted(size(search), 'point')}{seeds}, baselines not counted: more than {MAX_TRIALS} trials"
        yield Problem(("search",), message)


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
