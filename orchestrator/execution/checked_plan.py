"""Plan a study with all that is known about it on this machine."""

from dataclasses import replace

from orchestrator.core.store import Store
from orchestrator.plan.build_check import build_detectors
from orchestrator.plan.images import compared
from orchestrator.plan.machine import Machine
from orchestrator.plan.memory import with_memory
from orchestrator.plan.plan import Plan, make_plan, with_findings
from orchestrator.study.load import LoadedStudy
from orchestrator.study.space import adds_trials
from orchestrator.tracking.other_records import differing_records


def checked_plan(loaded: LoadedStudy, store: Store, machine: Machine | None = None, *, to_run: bool = False) -> Plan:
    """Plan ``loaded``, compare its images with those of earlier trials, have its detectors built and their memory forecast.

    Nothing is built for a study whose trials have all been trained. A plan that is ``to_run`` on a machine without room for
    a trial is refused anyway, so its memory is not forecast.
    """
    plan = compared(make_plan(loaded, store, machine), loaded.where("dataset"))
    plan = with_findings(plan, differing_records(plan, store))
    if not adds_trials(plan.study.search) and all(trial.status == "finished" for trial in plan.trials):
        return plan
    built = build_detectors(loaded, plan)
    plan = with_findings(replace(plan, starts=tuple(built.starts.values())), built.findings)
    broken = any(finding.level == "error" for finding in plan.findings)
    refused = broken or (to_run and not plan.resources.concurrent)
    return plan if refused else with_memory(loaded, plan, machine)
