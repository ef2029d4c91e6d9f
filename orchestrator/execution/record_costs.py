"""Record the costs of the trained detectors, once nothing else of the run is training."""

import logging

from orchestrator.plan.plan import Plan
from trainers.schema.error_text import last_line
from trainers.schema.record import read_status

log = logging.getLogger(__name__)


def record_costs(plan: Plan) -> None:
    """Measure the detectors of all trials that have begun, where that was not done before, and keep it in the store.

    A cost that cannot be measured or written is told. The plans of a reproduction have no place to show costs.
    """
    if plan.part:
        return
    forms = [trial.spec.student for trial in plan.trials if read_status(trial.directory) != "new"]
    costs = plan.planner.costs
    try:
        costs.measure(forms, latency=True)
        costs.keep(forms)
    except Exception as error:  # noqa: BLE001  all is trained: no fault of this step may hide the results
        log.warning("cannot record the costs of the detectors: %s", last_line(error))
    for problem in dict.fromkeys(costs.problems.values()):
        log.warning("%s", problem)
