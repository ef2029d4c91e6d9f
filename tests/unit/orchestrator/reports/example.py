"""Make the report of a study whose numbers the tests choose."""

from collections.abc import Mapping
from pathlib import Path

from orchestrator.plan.plan import Plan
from orchestrator.reports.document import Report, report_of
from orchestrator.results.metric_names import COCO_COLUMNS as COLUMNS
from orchestrator.results.result import TrialResult
from orchestrator.tracking.recorded import Recorded
from tests.unit.orchestrator.planning import plan_text
from tests.unit.orchestrator.study_text import VALID


def recorded(plan: Plan) -> Recorded:
    """Return provenance that tells its parts apart."""
    teachers = {teacher.id: "4444dddd" for teacher in plan.teachers}
    return Recorded(("1111aaaa",), ("2222bbbb",), ("3333cccc",), teachers)


COMMAND = "stillhouse run study.yaml --set 'search.seeds=[0, 1]'"
# AP by role, method, alpha2 and seed, binary fractions, so that means are exact
APS = {
    ("teacher", "none", None, 0): 0.5,
    ("student", "none", None, 0): 0.25,
    ("student", "none", None, 1): 0.3125,
    ("student", "bckd", 2.0, 0): 0.3125,
    ("student", "bckd", 2.0, 1): 0.25,
    ("student", "bckd", 4.0, 0): 0.375,
    ("student", "bckd", 4.0, 1): 0.4375,
}


def plan_of(folder: Path, *sets: str) -> Plan:
    return plan_text(folder, VALID, *sets)


def results_of(plan: Plan, aps: Mapping[tuple[str, str, float | None, int], float] = APS) -> list[TrialResult]:
    """Return results; AP50 is AP + 1/8, the others are like AP, and small objects there are none."""
    found = []
    for trial in plan.trials:
        alpha2 = trial.params.get("method.alpha2") if trial.spec.method.kind != "none" else None
        ap = aps.get((trial.role, trial.spec.method.kind, alpha2, trial.spec.seed))  # type: ignore[arg-type]
        metrics = {} if ap is None else {key: ap for title, key in COLUMNS.items() if title != "APs"}
        if ap is not None:
            metrics[COLUMNS["AP50"]] = ap + 0.125
        found.append(
            TrialResult(
                trial.id, trial.role, trial.spec.method.kind, trial.params, trial.spec.seed,
                "new" if ap is None else "finished", None, metrics, metrics, None, None,
            )
        )  # fmt: skip
    return found


def report(
    folder: Path, *sets: str, command: str = COMMAND, **aps: Mapping[tuple[str, str, float | None, int], float]
) -> Report:
    plan = plan_of(folder, *sets)
    return report_of(plan, results_of(plan, **aps), recorded(plan), command)
