"""Record the costs of the trained detectors, once nothing else of the run is training."""

import logging

from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import refreshed

log = logging.getLogger(__name__)


def record_costs(plan: Plan) -> None:
    """Measure the detectors of all trials that have begun, where that was not done before, and keep it in the store.

    A cost that cannot be measured or written is told: it ends no run.
    """
    forms = [trial.spec.student for trial in map(refreshed, plan.trials) if trial.status != "new"]
    costs = plan.planner.costs
    costs.measure(forms, latency=True)
    for problem in dict.fromkeys(costs.problems.values()):
        log.warning("%s", problem)
    try:
        costs.keep(forms)
    except OSError as error:
        log.warning("cannot keep the costs of the detectors: %s", error.strerror or error)
