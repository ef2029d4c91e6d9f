"""Show the work of a reproduction: trials, their dependencies, shared trials, cost, and missing files."""

from typing import Any

from orchestrator.plan.trial import PlannedTrial
from orchestrator.plan.weights import zoo_checkpoint
from orchestrator.reports.fitting import TableColumn
from orchestrator.reports.terminal_table import print_sentence, print_table
from orchestrator.reproduce.baseline_check import described
from orchestrator.reproduce.cost import Cost, cost_of, total
from orchestrator.reproduce.gpu_memory import SHOWN, memory_lines, row_memories, row_memory
from orchestrator.reproduce.loading import starving
from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.sources import Lack, lacking, replaced_weights
from orchestrator.reproduce.tables import PaperOption, paper_options
from orchestrator.study.wording import counted

COLUMNS = (
    TableColumn("id", gives_way=6),
    TableColumn("trial", wraps=True),
    TableColumn("seed", right=True, gives_way=3),
    TableColumn("waits for", wraps=True, gives_way=5),
    TableColumn("rows", wraps=True, gives_way=4),
    TableColumn("GPU-h", right=True),
    TableColumn("GPU", right=True, gives_way=8),
    TableColumn(f"in {SHOWN} GiB", right=True, gives_way=7),
    TableColumn("GB", right=True, gives_way=2),
    TableColumn("status", states=True, gives_way=1),
)


def plan_content(run_plan: RunPlan, price: float) -> dict[str, Any]:
    """Return the plan as ``--plan --json`` prints it."""
    rows = [_trial(run_plan, trial) for trial in run_plan.trials]
    whole = total(_cost(run_plan, trial) for trial in run_plan.trials)
    return {
        "suites": [suite.name for suite in run_plan.suites],
        "fidelity": run_plan.options.fidelity,
        "trials": rows,
        "gpu_hours": whole.gpu_hours,
        "usd": whole.gpu_hours * price,
        "disk_gb": whole.disk_gb,
        "measured": whole.measured,
        "memory": [dict(vars(row), gpu=row.gpu) for row in row_memories(run_plan)],
        "loading": [dict(vars(loading)) for loading in starving(run_plan)],
        "missing": [_lack(lack) for lack in lacking(run_plan)],
        "random_weights": replaced_weights(run_plan),
        "switches": {option.name: _choice(run_plan, option) for option in open_questions(run_plan)},
    }


def print_plan(run_plan: RunPlan, price: float) -> None:
    """Print the plan for people."""
    for suite in run_plan.suites:
        print_sentence(f"{suite.name}  {suite.title}")
    print_table(COLUMNS, [_cells(run_plan, trial) for trial in run_plan.trials])
    lines = (
        *_cost_lines(run_plan, price),
        *memory_lines(run_plan),
        *_loading_lines(run_plan),
        *_missing_lines(run_plan),
        *_option_lines(run_plan),
    )
    for line in lines:
        print_sentence(line)


def open_questions(run_plan: RunPlan) -> list[PaperOption]:
    """Return the options that change something in these suites, or have done so."""
    studies = {row.study for row in run_plan.rows}
    touched = {
        option.name: {name for places in option.choices.values() for pair in places.items() for name in pair}
        for option in paper_options().values()
    }
    return [option for option in paper_options().values() if touched[option.name] & studies]


def _cells(run_plan: RunPlan, trial: PlannedTrial) -> list[str]:
    content = _trial(run_plan, trial)
    hours = f"{content['gpu_hours']:.1f}{'' if content['measured'] else '?'}"
    rows = content["rows"]
    shared = f"{len(rows)}: {'; '.join(rows)}" if len(rows) > 1 else "".join(rows)
    name = f"{content['does']} {content['name']}"
    return [trial.id, name, str(trial.spec.seed), ", ".join(content["waits_for"]), shared, hours,
            *_memory_cells(run_plan, trial), f"{content['disk_gb']:.1f}", trial.status]  # fmt: skip


def _memory_cells(run_plan: RunPlan, trial: PlannedTrial) -> tuple[str, str]:
    """Return the GPU that a student needs, and how many of it fit side by side into one of ``SHOWN`` GiB."""
    job = run_plan.source(trial)
    found = row_memory(run_plan, job) if trial.id in {one.id for one in job.trials} else None
    if found is None:
        return "-", "-"
    return f"{found.gpu} GiB" if found.gpu else "-", str(found.students_in(SHOWN))


def _trial(run_plan: RunPlan, trial: PlannedTrial) -> dict[str, Any]:
    job, cost = run_plan.source(trial), _cost(run_plan, trial)
    own = trial.id in {one.id for one in job.trials}
    return {
        "id": trial.id,
        "name": job.name if own else f"the teacher of {job.name}",
        "does": "evaluate" if trial.spec.init else "train",
        "method": trial.spec.method.kind,
        "seed": trial.spec.seed,
        "status": trial.status,
        "waits_for": _waits_for(run_plan, trial),
        "rows": list(run_plan.rows_of(trial.id)),
        "gpu_hours": cost.gpu_hours,
        "disk_gb": cost.disk_gb,
        "measured": cost.measured,
    }


def _waits_for(run_plan: RunPlan, trial: PlannedTrial) -> list[str]:
    job = run_plan.source(trial)
    if trial.id not in {one.id for one in job.trials} or job.is_weights:
        return []
    return [*([job.teacher.id] if job.teacher else []), *job.checked_weights]


def _cost(run_plan: RunPlan, trial: PlannedTrial) -> Cost:
    return cost_of(trial, run_plan.source(trial).plan.resources.workers)


def _cost_lines(run_plan: RunPlan, price: float) -> list[str]:
    whole = total(_cost(run_plan, trial) for trial in run_plan.trials)
    each = max((job.plan.resources.workers for job in run_plan.jobs.values()), default=1)
    sure = "measured here" if whole.measured else "from given rates (?), which may be off by a factor of two"
    hours = f"{whole.gpu_hours:.0f} GPU hours ({whole.gpu_hours / each / 24:.1f} days on {counted(each, 'GPU')})"
    return [
        f"left to do: {hours}, about {whole.gpu_hours * price:.0f} USD at {price:g} an hour; {sure}",
        f"disk: {whole.disk_gb:.0f} GB of students and teachers beside the data",
    ]


def _loading_lines(run_plan: RunPlan) -> list[str]:
    lines = [f"  {loading.describe()}" for loading in starving(run_plan)]
    return lines and ["images may come too slowly for the GPUs:", *lines]


def _missing_lines(run_plan: RunPlan) -> list[str]:
    lines = [line for lack in lacking(run_plan) for line in _lack_lines(lack)]
    random = [f"RANDOM WEIGHTS instead of {url}: the numbers mean nothing" for url in replaced_weights(run_plan)]
    return [*(lines or ["nothing has to be fetched"]), *random]


def _lack_lines(lack: Lack) -> list[str]:
    size = f" ({lack.gb:g} GB)" if lack.gb else ""
    if not lack.files:
        return [f"missing: {lack.what}{size}"]
    if lack.what == "weights":
        return [f"will be fetched: {file.url} ({file.digest}) into {file.place}" for file in lack.files]
    return [f"missing: {lack.what}{size}; unpack there:", *(f"  {file.url} ({file.digest})" for file in lack.files)]


def _lack(lack: Lack) -> dict[str, Any]:
    return {"what": lack.what, "gb": lack.gb, "files": [dict(vars(file)) for file in lack.files]}


def _option_lines(run_plan: RunPlan) -> list[str]:
    lines = [
        f"--switch {s.name}={_choice(run_plan, s)}: {s.question} Also: {', '.join(_others(run_plan, s))}."
        for s in open_questions(run_plan)
    ]
    known = [f"{name}: {described(name)}; printed is {printed:.1f}" for name, printed in _figures(run_plan)]
    return [
        *(
            lines
            and ["Questions that the paper leaves open, and the choices made here:", *(f"  {line}" for line in lines)]
        ),
        *known,
    ]


def _choice(run_plan: RunPlan, option: PaperOption) -> str:
    return run_plan.options.paper_options.get(option.name, option.default)


def _others(run_plan: RunPlan, option: PaperOption) -> list[str]:
    return [choice for choice in (option.default, *option.choices) if choice != _choice(run_plan, option)]


def _figures(run_plan: RunPlan) -> list[tuple[str, float]]:
    """Return public checkpoints whose printed AP differs from their zoo's."""
    pairs = dict.fromkeys(
        (row.weights, row.printed["mAP"]) for row in run_plan.rows if row.weights and "mAP" in row.printed
    )
    return [(name, printed) for name, printed in pairs if abs(printed - zoo_checkpoint(name).ap) > 0.05]
