"""Show the work of a reproduction: trials, their dependencies, shared trials, cost, and missing files."""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.plan.trial import PlannedTrial
from orchestrator.plan.weights import zoo_checkpoint
from orchestrator.reproduce.baseline_check import described
from orchestrator.reproduce.cost import Cost, cost_of, total
from orchestrator.reproduce.loading import starving
from orchestrator.reproduce.plan import RunPlan
from orchestrator.reproduce.sources import Lack, lacking, replaced_weights
from orchestrator.reproduce.tables import PaperOption, switches

WIDTH = 170


def plan_content(agenda: RunPlan, price: float) -> dict[str, Any]:
    """Return the plan as ``--plan --json`` prints it."""
    rows = [_trial(agenda, trial) for trial in agenda.trials]
    whole = total(_cost(agenda, trial) for trial in agenda.trials)
    return {
        "suites": [suite.name for suite in agenda.suites],
        "fidelity": agenda.options.fidelity,
        "trials": rows,
        "gpu_hours": whole.gpu_hours,
        "usd": whole.gpu_hours * price,
        "disk_gb": whole.disk_gb,
        "measured": whole.measured,
        "loading": [dict(vars(loading)) for loading in starving(agenda)],
        "missing": [_lack(lack) for lack in lacking(agenda)],
        "random_weights": replaced_weights(agenda),
        "switches": {switch.name: _choice(agenda, switch) for switch in open_questions(agenda)},
    }


def print_plan(agenda: RunPlan, price: float) -> None:
    """Print the plan for people."""
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH)
    for suite in agenda.suites:
        console.print(f"[bold]{suite.name}[/bold]  {suite.title}", highlight=False)
    console.print(_table(agenda))
    lines = (*_cost_lines(agenda, price), *_loading_lines(agenda), *_missing_lines(agenda), *_switch_lines(agenda))
    for line in lines:
        console.print(line, markup=False, highlight=False)


def open_questions(agenda: RunPlan) -> list[PaperOption]:
    """Return the switches that change something in these suites, or have done so."""
    studies = {row.study for row in agenda.rows}
    touched = {
        switch.name: {name for places in switch.choices.values() for pair in places.items() for name in pair}
        for switch in switches().values()
    }
    return [switch for switch in switches().values() if touched[switch.name] & studies]


def _table(agenda: RunPlan) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("id", "trial", "seed", "waits for", "rows", "GPU-h", "GB", "status"):
        table.add_column(title, justify="right" if title in ("seed", "GPU-h", "GB") else "left", overflow="fold")
    for trial in agenda.trials:
        table.add_row(*(Text(cell) for cell in _cells(agenda, trial)))
    return table


def _cells(agenda: RunPlan, trial: PlannedTrial) -> list[str]:
    content = _trial(agenda, trial)
    hours = f"{content['gpu_hours']:.1f}{'' if content['measured'] else '?'}"
    rows = content["rows"]
    shared = f"{len(rows)}: {'; '.join(rows)}" if len(rows) > 1 else "".join(rows)
    name = f"{content['does']} {content['name']}"
    return [trial.id, name, str(trial.spec.seed), ", ".join(content["waits_for"]), shared, hours,
            f"{content['disk_gb']:.1f}", trial.status]  # fmt: skip


def _trial(agenda: RunPlan, trial: PlannedTrial) -> dict[str, Any]:
    unit, cost = agenda.source(trial), _cost(agenda, trial)
    own = trial.id in {one.id for one in unit.trials}
    return {
        "id": trial.id,
        "name": unit.name if own else f"the teacher of {unit.name}",
        "does": "evaluate" if trial.spec.init else "train",
        "method": trial.spec.method.kind,
        "seed": trial.spec.seed,
        "status": trial.status,
        "waits_for": _waits_for(agenda, trial),
        "rows": list(agenda.rows_of(trial.id)),
        "gpu_hours": cost.gpu_hours,
        "disk_gb": cost.disk_gb,
        "measured": cost.measured,
    }


def _waits_for(agenda: RunPlan, trial: PlannedTrial) -> list[str]:
    unit = agenda.source(trial)
    if trial.id not in {one.id for one in unit.trials} or unit.is_weights:
        return []
    return [*([unit.teacher.id] if unit.teacher else []), *unit.gates]


def _cost(agenda: RunPlan, trial: PlannedTrial) -> Cost:
    return cost_of(trial, agenda.source(trial).plan.resources.workers)


def _cost_lines(agenda: RunPlan, price: float) -> list[str]:
    whole = total(_cost(agenda, trial) for trial in agenda.trials)
    each = max((unit.plan.resources.workers for unit in agenda.units.values()), default=1)
    sure = "measured here" if whole.measured else "from given rates (?), which may be off by a factor of two"
    hours = f"{whole.gpu_hours:.0f} GPU hours ({whole.gpu_hours / each / 24:.1f} days on {each} GPUs)"
    return [
        f"left to do: {hours}, about {whole.gpu_hours * price:.0f} USD at {price:g} an hour; {sure}",
        f"disk: {whole.disk_gb:.0f} GB of students and teachers beside the data",
    ]


def _loading_lines(agenda: RunPlan) -> list[str]:
    lines = [f"  {loading.describe()}" for loading in starving(agenda)]
    return lines and ["images may come too slowly for the GPUs:", *lines]


def _missing_lines(agenda: RunPlan) -> list[str]:
    lines = [line for lack in lacking(agenda) for line in _lack_lines(lack)]
    random = [f"RANDOM WEIGHTS instead of {url}: the numbers mean nothing" for url in replaced_weights(agenda)]
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


def _switch_lines(agenda: RunPlan) -> list[str]:
    lines = [
        f"--switch {s.name}={_choice(agenda, s)}: {s.question} Also: {', '.join(_others(agenda, s))}."
        for s in open_questions(agenda)
    ]
    known = [f"{name}: {described(name)}; printed is {printed:.1f}" for name, printed in _figures(agenda)]
    return [
        *(
            lines
            and ["Questions that the paper leaves open, and the choices made here:", *(f"  {line}" for line in lines)]
        ),
        *known,
    ]


def _choice(agenda: RunPlan, switch: PaperOption) -> str:
    return agenda.options.switches.get(switch.name, switch.default)


def _others(agenda: RunPlan, switch: PaperOption) -> list[str]:
    return [choice for choice in (switch.default, *switch.choices) if choice != _choice(agenda, switch)]


def _figures(agenda: RunPlan) -> list[tuple[str, float]]:
    """Return public checkpoints whose printed AP differs from their zoo's."""
    pairs = dict.fromkeys(
        (row.weights, row.printed["mAP"]) for row in agenda.rows if row.weights and "mAP" in row.printed
    )
    return [(name, printed) for name, printed in pairs if abs(printed - zoo_checkpoint(name).ap) > 0.05]
