"""Find the trial that a user names."""

from orchestrator.core.errors import UserError
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial


def named(plan: Plan, wanted: str) -> PlannedTrial:
    """Return the trial whose id begins with ``wanted``; raise ``UserError`` unless it is one."""
    trials = {trial.id: trial for trial in reversed(plan.trials)}  # a teacher may be the trial of a student alone, too
    found = [trial for trial in trials.values() if trial.id.startswith(wanted)]
    if len(found) != 1:
        known = ", ".join(dict.fromkeys(trial.id for trial in plan.trials))
        raise UserError(f"{'no' if not found else 'more than one'} trial begins with {wanted}; the study has {known}")
    return found[0]
