"""Show a plan to people and to machines."""

import sys
from collections import Counter
from typing import Any

from orchestrator.core.findings import print_findings
from orchestrator.plan.cohorts import cohorts, probes
from orchestrator.plan.forecast import SMALLER_GROUP
from orchestrator.plan.memory import gib
from orchestrator.plan.plan import Plan
from orchestrator.plan.prefixes import shared_steps, steps_spared, why_apart
from orchestrator.plan.resources import Resources, wanted
from orchestrator.plan.totals import Totals, further, students_left, totals
from orchestrator.plan.trial import PlannedTrial
from orchestrator.reports.fitting import TableColumn
from orchestrator.reports.rows import student_name
from orchestrator.reports.terminal_table import print_sentence, print_table
from orchestrator.results.detector_costs import amount, cost_json
from orchestrator.study.schema import Fifo, Search
from orchestrator.study.space import is_open
from orchestrator.study.wording import alternatives, counted
from trainers.schema import Detector
from trainers.schema.costs import DetectorCost
from trainers.schema.memory import MemoryForecast, MemoryUnit

ONE_BY_ONE = "cohorts: none, students are trained one by one"
MOST_COSTS = 6  # detectors whose costs a plan shows

COLUMNS = (
    TableColumn("id", gives_way=2),
    TableColumn("trial", wraps=True),
    TableColumn("seed", right=True, gives_way=3),
    TableColumn("epochs", right=True, gives_way=20),
    TableColumn("steps", right=True, gives_way=21),
    TableColumn("status", states=True, gives_way=1),
)


def print_plan(plan: Plan) -> None:
    """Print trials, resources and findings on stdout."""
    print_sentence(f"{plan.study.name}  {describe_size(plan)}  fingerprint {plan.fingerprint[:12]}")
    print_sentence(describe_resources(plan.resources))
    for sentence in describe_elastic(plan):
        print_sentence(sentence)
    print_table(COLUMNS, [_cells(trial) for trial in plan.trials])
    for sentence in (
        *describe_search(plan), *describe_prefixes(plan), *describe_cohorts(plan), *describe_costs(plan), *describe_memory(plan),
    ):  # fmt: skip
        print_sentence(sentence)
    print_findings(plan.findings, sys.stdout)


def describe_size(plan: Plan) -> str:
    """Return how many trials the plan has, and how many an open search may come to."""
    known, most = len(plan.trials), totals(plan).trials
    size = counted(known, "trial")
    return size if known == most else f"{size} by now, at most {most}"


def plan_sentence(plan: Plan) -> str:
    """Return the plan in one sentence: how many trials, their states, and the resources of each."""
    states = Counter(trial.status for trial in plan.trials)
    parts = ", ".join(f"{count} {state}" for state, count in states.items())
    return f"{describe_size(plan)} ({parts}); {describe_resources(plan.resources)}"


def describe_resources(granted: Resources) -> str:
    """Return one sentence about a trial's resources and the number of concurrent trials."""
    loaders = f" (with {granted.loader_workers} loading images)" if granted.loader_workers else ""
    many = _at_once(granted) if granted.concurrent else "does not fit on this machine"
    return f"each trial: {wanted(granted)}{loaders}; {many}"


def _at_once(granted: Resources) -> str:
    if granted.at_first is None:
        return f"{granted.concurrent} at once here"
    return f"{granted.concurrent} at once when the cluster has grown, {granted.at_first} now"


def describe_elastic(plan: Plan) -> list[str]:
    """Describe the effect of the number of workers on an elastic trial; nothing for others."""
    sizes = plan.resources.sizes
    if not sizes:
        return []
    least, most = sizes[0], sizes[-1]
    numbers = (
        f"elastic: each batch is trained in {most} shares by {alternatives(map(str, sizes))} workers, as many as there is room "
        f"for: the numbers of a group of {most}, with sums in another order, so results repeat up to rounding, not to the bit"
    )
    longer, longest = most / least, most / least * SMALLER_GROUP
    return [
        numbers,
        f"elastic: with {least} a step takes {rounded(longer)} to {rounded(longest)} times as long as with {most}",
    ]


def rounded(times: float) -> str:
    """Return a ratio in two digits, and in whole numbers from 10 on."""
    return f"{times:.0f}" if times >= 10 else f"{times:.2g}"


def describe_search(plan: Plan) -> list[str]:
    """Describe the pending part of a search whose points follow from results; nothing if all trials are known."""
    search, whole = plan.study.search, totals(plan)
    if whole.least_trials is not None:
        return [f"{_deciding(search)}: {_range(whole.least_trials, whole.trials, 'trials')}{_steps(whole)} in all"]
    if not is_open(search):
        return []
    known = len(plan.suggested)
    most = known + sum(one.count for one in further(plan))
    if search.algorithm.has_segments:
        return [f"population of {search.samples}: {known} of {counted(most, 'segment')} known by now"]
    return [
        f"{search.algorithm.kind}: up to {counted(most, 'trial')}, {known} known by now; the others follow from their results"
    ]


def _deciding(search: Search) -> str:
    """Name the parts of a search that decide how much is trained."""
    racing = ["racing"] if search.racing else []
    return " and ".join([*racing, *([] if isinstance(search.scheduler, Fifo) else [search.scheduler.kind])])


def _steps(whole: Totals) -> str:
    known = whole.least_steps is not None and whole.steps is not None
    return f", {_range(whole.least_steps or 0, whole.steps or 0, 'steps')}" if known else ""


def _range(low: int, high: int, unit: str) -> str:
    return f"{low:,} to {high:,} {unit}" if low < high else f"{high:,} {unit}"


def describe_prefixes(plan: Plan) -> list[str]:
    """Return what trials that agree in their first epochs save, or why they are trained apart; nothing for others."""
    found, apart = shared_steps(plan.trials, steps_spared), why_apart(plan.study.search)
    if found is None:
        return [apart] if apart else []
    steps = f"{found.made:,} of {found.whole:,} steps ({100 * found.made / found.whole:.0f} %) are trained"
    who = f"{found.trials} of {counted(found.of, 'student')} start from the state of another trial"
    return [f"shared prefixes: {who}: {steps}"]


def describe_cohorts(plan: Plan) -> list[str]:
    """Return how many students will train side by side, and why others are kept apart.

    Nothing where no cohort was asked for, or no student is left to train.
    """
    students, to_come = students_left(plan), further(plan)
    if plan.study.search.cohort == 1 or not (students or to_come):
        return []
    proposed = is_open(plan.study.search)
    found = cohorts(plan, (*students, *probes(plan)) if proposed else students)
    sizes = ", ".join(str(len(group)) for group in found.groups[:8]) + (", ..." if len(found.groups) > 8 else "")
    apart = f"; apart, because {' and '.join(found.reasons)}" if found.reasons else ""
    if proposed:
        return [_proposed(found.size) + (apart if found.size > 1 else "")]
    if all(len(group) == 1 for group in found.groups):
        return [f"{ONE_BY_ONE}{apart}"]
    return [f"cohorts: {len(found.groups)}, of {sizes} students side by side{apart}"]


def _proposed(size: int) -> str:
    if size == 1:
        return ONE_BY_ONE
    return f"cohorts: up to {size} students side by side, as they are proposed"


def describe_costs(plan: Plan) -> list[str]:
    """Return the costs of teacher and students that were measured before: one line for each of few forms."""
    forms = {trial.spec.student: trial.role for trial in reversed(plan.trials)}
    known = {form: cost for form in reversed(forms) if (cost := plan.planner.costs.of(form)) is not None}
    lines = [f"{forms[form]}: {_cost(form, cost)}" for form, cost in known.items()]
    return lines[:MOST_COSTS]


def _cost(form: Detector, cost: DetectorCost) -> str:
    macs = f", {amount(cost.macs)} MACs at {cost.input_size[0]} x {cost.input_size[1]}" if cost.macs else ""
    return f"{student_name(form)}: {amount(cost.parameters)} parameters{macs}"


def describe_memory(plan: Plan) -> list[str]:
    """Return the forecast of a GPU's memory for the largest training, and how many students fit side by side."""
    if plan.memory is None:
        return []
    lines = [f"memory: not forecast: {problem}" for problem in plan.memory.problems]
    return [*(_memory(*pair, plan.memory.gpu) for pair in plan.memory.forecasts[:1]), *lines]


def _memory(unit: MemoryUnit, found: MemoryForecast, gpu: int | None) -> str:
    width, height = found.size
    seen = f"{counted(unit.images, 'image')} of {width} x {height} in {unit.schedule.precision}"
    parts = {
        "weights, optimizer and average": found.student,
        "teacher": found.teacher,
        "images and outputs": found.batch + found.evidence,
        "one step": max(found.look, found.step),
    }
    listed = ", ".join(f"{name} {gib(size)}" for name, size in parts.items() if size)
    side = f"each further student side by side {gib(found.student + found.evidence)}"
    fits = "" if gpu is None else f"; {found.students_in(gpu)} fit into the {gib(gpu)} here"
    return (
        f"memory of a GPU: about {gib(found.peak())} for {student_name(unit.student)}, {seen} ({listed}); {side}{fits}"
    )


def memory_json(plan: Plan) -> list[dict[str, Any]]:
    """Return the forecasts of a GPU's memory, in bytes, the largest first."""
    found = plan.memory.forecasts if plan.memory else ()
    return [{"student": unit.student.config, "peak": one.peak(), **one.model_dump(mode="json")} for unit, one in found]


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan as ``plan --json`` prints it, without its findings."""
    return {
        "study": plan.study.name,
        "fingerprint": plan.fingerprint,
        "trials": [
            _trial_json(trial, plan.resources, plan.planner.costs.of(trial.spec.student)) for trial in plan.trials
        ],
        "starts": [{"where": start.where, **start.report} for start in plan.starts],
        "memory": memory_json(plan),
        "cohorts": [[trial.id for trial in group] for group in cohorts(plan, students_left(plan)).groups],
    }


def _trial_json(trial: PlannedTrial, granted: Resources, cost: DetectorCost | None) -> dict[str, Any]:
    resources = {
        "workers": granted.workers,
        "least_workers": granted.least_workers,
        "cpus_per_worker": granted.cpus(trial.role),
        "gpus_per_worker": granted.gpus_per_worker,
    }
    return {
        "id": trial.id,
        "role": trial.role,
        "method": trial.spec.method.kind,
        "params": trial.params,
        "seed": trial.spec.seed,
        "status": trial.status,
        "resources": resources,
        "estimate": dict(vars(trial.estimate)),
        "prefix": {"trial": trial.prefix.trial, "epochs": trial.prefix.epoch} if trial.prefix else None,
        "cost": cost_json(cost),
    }


def _cells(trial: PlannedTrial) -> list[str]:
    epochs = "evaluate" if trial.estimate.steps == 0 else _count(trial.estimate.epochs)
    return [trial.id, trial.name, str(trial.spec.seed), epochs, _count(trial.estimate.steps), trial.status]


def _count(number: int | None) -> str:
    return "?" if number is None else str(number)
