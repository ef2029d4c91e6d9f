"""Forecast the memory that a study's trainings need on each GPU, and compare it with the GPU's.

The forecasts come from ``trainers.costs.memory``, in a process of its own, and are remembered on this machine.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from orchestrator.core.findings import Finding
from orchestrator.plan.cohorts import probes
from orchestrator.plan.gpu_shares import with_shares
from orchestrator.plan.machine import Machine, this_machine
from orchestrator.plan.model_process import answers_of, lacking_package
from orchestrator.plan.plan import Plan, with_findings
from orchestrator.plan.planned_memory import PlannedMemory
from orchestrator.plan.totals import to_train
from orchestrator.plan.trial import PlannedTrial
from orchestrator.plan.weights import config_digest
from orchestrator.study.fingerprint import fingerprint
from orchestrator.study.load import LoadedStudy
from orchestrator.study.space import is_open
from orchestrator.study.wording import counted
from trainers.schema.atomic import write_text
from trainers.schema.memory import GIB, MemoryAnswer, MemoryForecast, MemoryRequest, MemoryUnit, memory_unit
from trainers.schema.method import terms_of
from trainers.schema.remote import cache_dir

FORMAT = 1  # raise it when the same training is forecast in another way
FORECAST = "trainers.costs.memory"
UNIT_S = 120.0  # for one training on a slow machine
MOST_TRIES = 4  # numbers of images that are forecast for a proposal
MOST_UNITS = 6  # forms of trainings that are forecast; a search may have any number


def with_memory(loaded: LoadedStudy, plan: Plan, machine: Machine | None = None) -> Plan:
    """Return the plan with forecasts of the trials that are left, and findings where they do not fit.

    Nothing is forecast for a study that trains on CPUs, or where torch and mmdet are not installed. Where the study asks for
    shares of GPUs, the plan then grants them.
    """
    forms, alone = _units(plan) if plan.resources.gpus_per_worker else ([], frozenset[str]())
    if not forms:
        return plan
    machine, shares = machine or this_machine(), plan.study.scaling.gpus_per_worker == "shared"
    if not lacking_package():
        found = replace(planned_memory(forms[:MOST_UNITS], _share(plan, machine)), alone=alone)
        plan = with_findings(replace(plan, memory=found), misfits(loaded, plan, found))
    return with_shares(loaded, plan, machine, len(forms)) if shares else plan


def planned_memory(units: Iterable[MemoryUnit], gpu: int | None) -> PlannedMemory:
    """Return the forecasts of trainings for GPUs of so many bytes (``None``: unknown)."""
    asked = {unit.key: unit for unit in units}
    known = {key: answer for key in asked if (answer := _recall(key)) is not None}
    lacking = tuple(unit for key, unit in asked.items() if key not in known)
    for answer in _answers(lacking) if lacking else ():
        known[answer.key] = answer
        _remember(answer)
    pairs = [(asked[key], answer.forecast) for key, answer in known.items() if answer.forecast is not None]
    pairs.sort(key=lambda pair: -pair[1].peak())
    return PlannedMemory(tuple(pairs), gpu, tuple(answer.problem for answer in known.values() if answer.problem))


def misfits(loaded: LoadedStudy, plan: Plan, memory: PlannedMemory) -> Iterator[Finding]:
    """Yield a finding for the largest training where it does not fit, or may not, and for a cohort that does not."""
    if memory.gpu is None or not memory.forecasts:
        return
    unit, found = memory.forecasts[0]
    if found.students_in(memory.gpu) < 1:
        yield _too_large(loaded, unit, found, memory)
    elif plan.study.search.cohort != "auto" and plan.study.search.cohort > (memory.students or 1):
        message = f"{counted(plan.study.search.cohort, 'student')} side by side may need more memory than a GPU has: {memory.students} fit"
        yield Finding("warning", loaded.where("search.cohort"), message)


def _too_large(loaded: LoadedStudy, unit: MemoryUnit, found: MemoryForecast, memory: PlannedMemory) -> Finding:
    """Return the finding for a training, with the number of images that fits: that is forecast, too, which takes seconds."""
    gpu = memory.gpu or 0
    key = "teacher.schedule.batch_size" if unit.key in memory.alone else "schedule.batch_size"
    says = f"{counted(unit.images, 'image')} at once need about {gib(found.peak())} of a GPU, and a GPU has {gib(gpu)} for it"
    fits = f"{_largest(unit, found, gpu)}: set {key}, or train on more workers (scaling.workers)"
    if found.exceeds(gpu):
        return Finding("error", loaded.where(key), f"{says}; {fits}")
    return Finding("warning", loaded.where(key), f"{says}, which may not be enough; {fits}")


def gib(size: int) -> str:
    """Return bytes for people."""
    return f"{size / GIB:.1f} GiB"


def _largest(unit: MemoryUnit, found: MemoryForecast, gpu: int) -> str:
    most = _images_in(unit, found, gpu)
    return f"about {counted(most, 'image')} of each worker fit" if most else "not even one image of each worker fits"


def _images_in(unit: MemoryUnit, found: MemoryForecast, gpu: int) -> int:
    """Return how many images of a worker fit, by a forecast of that number: a study that follows it must not be warned of again."""
    most = found.images_in(gpu)
    for _ in range(MOST_TRIES):
        key = fingerprint([unit.key, most])[:16]
        of_most = planned_memory([unit.model_copy(update={"images": most, "key": key})], gpu).forecasts if most else ()
        if not of_most or of_most[0][1].students_in(gpu):
            break
        most = min(most - 1, of_most[0][1].images_in(gpu))
    return most


def _share(plan: Plan, machine: Machine) -> int | None:
    """Return the bytes of a GPU that one worker has."""
    each = min(1.0, plan.resources.gpus_per_worker)
    return None if machine.gpu_memory is None else int(machine.gpu_memory * each)


def _units(plan: Plan) -> tuple[list[MemoryUnit], frozenset[str]]:
    """Return the forms of the trainings that are left or may be proposed, and the keys of those that only teachers have.

    There is at most one more than are forecast.
    """
    found, of_students = dict[str, MemoryUnit](), set[str]()
    proposed = probes(plan) if is_open(plan.study.search) else ()
    for trial in (*to_train(plan.trials), *proposed):
        unit = unit_of(plan, trial)
        if trial.role != "teacher":
            of_students.add(unit.key)
        if trial.spec.init is None and len(found) <= MOST_UNITS:
            found.setdefault(unit.key, unit)
    return list(found.values()), frozenset(found) - of_students


def unit_of(plan: Plan, trial: PlannedTrial) -> MemoryUnit:
    """Return the request for a trial; its key is the same for all trials that need the same memory."""
    unit = memory_unit("-", trial.spec, plan.placement(trial.role))
    schedule, detectors = unit.schedule, [unit.student, *([unit.teacher] if unit.teacher else [])]
    layers = [
        one.model_copy(update={"weights": "random" if one.weights == "random" else "imagenet"}) for one in detectors
    ]
    forms = [[one.settings(), config_digest(one)] for one in layers]
    terms = [[term.kind, str(term.point)] for term in terms_of(unit.method) if term.counts]
    rest = unit.model_dump(mode="json", exclude={"key", "student", "teacher", "method", "schedule"})
    settings = [schedule.precision, schedule.asks_in, schedule.optimizer.kind, schedule.ema is not None]
    return unit.model_copy(update={"key": fingerprint([FORMAT, forms, terms, settings, rest])[:16]})


def _answers(units: tuple[MemoryUnit, ...]) -> Iterator[MemoryAnswer]:
    with tempfile.TemporaryDirectory(prefix="stillhouse-memory-") as folder:
        lines, _ = answers_of(FORECAST, MemoryRequest(units=units), UNIT_S * len(units), Path(folder))
    yield from map(MemoryAnswer.model_validate_json, lines)


def _memory(key: str) -> Path:
    return cache_dir().parent / "memory" / f"{key}.json"


def _recall(key: str) -> MemoryAnswer | None:
    try:
        return MemoryAnswer.model_validate_json(_memory(key).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none, or another release wrote it
        return None


def _remember(answer: MemoryAnswer) -> None:
    if answer.forecast is None:
        return
    try:
        _memory(answer.key).parent.mkdir(parents=True, exist_ok=True)
        write_text(_memory(answer.key), answer.model_dump_json() + "\n")
    except OSError:
        return  # a cache that we only read: it is forecast again the next time
