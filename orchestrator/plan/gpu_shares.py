"""Grant each training the smallest share of a GPU that its memory forecast allows, where a study asks for shares."""

from dataclasses import replace

from orchestrator.core.findings import Finding
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan, with_findings
from orchestrator.plan.planned_memory import PlannedMemory
from orchestrator.plan.resources import resources
from orchestrator.study.load import LoadedStudy
from orchestrator.study.schema import Search, StudySpec
from orchestrator.study.space import is_open
from orchestrator.study.substitute import section_of

MOST = 8  # trainings on one GPU: each has a CUDA context of its own
SECTIONS = ("student", "teacher", "dataset")  # their keys change the memory of a training
KEYS = (
    "schedule.batch_size",
    "schedule.precision",
    "schedule.optimizer",
    "schedule.ema",
    "method.kind",
    "method.terms",
)


def with_shares(loaded: LoadedStudy, plan: Plan, machine: Machine, forms: int) -> Plan:
    """Return the plan with a share of a GPU for each worker, and that share's memory beside the forecasts.

    ``forms`` is how many forms of trainings there are. Where it is not known whether each of them fits, the plan keeps whole
    GPUs, and an error says why.
    """
    memory, problem = plan.memory, _obstacle(plan, forms)
    if problem is not None or memory is None or memory.gpu is None:
        message = f"shared: {problem}; write a share, such as 0.5, or auto for whole GPUs"
        return with_findings(plan, [Finding("error", loaded.where("scaling.gpus_per_worker"), message)])
    number = _trainings(plan.study, memory, memory.gpu, machine)
    granted = resources(plan.study, machine, 1 / number)
    return replace(plan, resources=granted, memory=replace(memory, gpu=memory.gpu // number))


def _obstacle(plan: Plan, forms: int) -> str | None:
    """Return why no share can be granted."""
    memory = plan.memory
    if memory is None:
        return "memory is not forecast where torch or mmdet is not installed"
    if memory.gpu is None:
        return "nobody tells how much memory the GPUs have (nvidia-smi does so on one machine, and nobody in a cluster)"
    if len(memory.forecasts) < forms:
        why = f" ({memory.problems[0]})" if memory.problems else ""
        return f"memory is forecast for {len(memory.forecasts)} kinds of training, and there are more{why}"
    key = _drawn_key(plan.study.search)
    return key and f"the search draws {key} as it goes, on which memory depends"


def _drawn_key(search: Search) -> str | None:
    """Return a key that changes memory, and whose values an open search proposes later."""
    keys = [key for key in search.space if section_of(key) in SECTIONS or key.startswith(KEYS)]
    return keys[0] if keys and is_open(search) else None


def _trainings(study: StudySpec, memory: PlannedMemory, gpu: int, machine: Machine) -> int:
    """Return how many trainings fit into one GPU of so many bytes, each with a cohort of the size that the study gives."""
    cohort, cpus = study.search.cohort, study.scaling.cpus_per_worker
    students, threads = (1 if given == "auto" else given for given in (cohort, cpus))
    rooms = [node.cpus // (threads * node.gpus) for node in machine.nodes or (machine,) if node.gpus]
    numbers = range(1, min(MOST, *rooms) + 1)
    return max((n for n in numbers if memory.fits(gpu // n, students)), default=1)
