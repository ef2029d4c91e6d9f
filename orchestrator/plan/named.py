"""Find the trial that a user names."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from orchestrator.core.errors import UserError
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import PlannedTrial

MOST = 20  # ids in a message


def chosen(plan: Plan, wanted: Iterable[str]) -> frozenset[str]:
    """Return the ids of the trials that ``wanted`` name by their first digits, and of the teachers that they need.

    Raises ``UserError`` for a name that is not exactly one trial's.
    """
    trials = [named(plan, name) for name in wanted]
    needed = (trial.teacher for trial in trials if plan.teacher_of(trial))
    return frozenset([*(name for name in needed if name), *(trial.id for trial in trials)])


def only(plan: Plan, trials: Collection[str] | None) -> Plan:
    """Return the plan with nothing but the trials of these ids, for counts; ``None`` stands for all."""
    if trials is None:
        return plan
    teachers = tuple(one for one in plan.teachers if one.id in trials)
    return replace(plan, teachers=teachers, students=tuple(one for one in plan.students if one.id in trials))


def named(plan: Plan, wanted: str) -> PlannedTrial:
    """Return the trial whose id begins with ``wanted``; raise ``UserError`` unless it is one."""
    if not wanted:
        raise UserError("the id of a trial is empty: give one that plan shows, or its first digits")
    by_id = {trial.id: trial for trial in reversed(plan.trials)}  # a teacher may be the trial of a student alone, too
    trials = list(by_id.values())[::-1]
    found = [trial for trial in trials if trial.id.startswith(wanted)]
    if len(found) != 1:
        raise UserError(f"{'more than one' if found else 'no'} trial begins with {wanted}; {_known(found or trials)}")
    return found[0]


def _known(trials: Sequence[PlannedTrial]) -> str:
    ids = [trial.id for trial in trials]
    more = f" and {len(ids) - MOST} more, see stillhouse plan" if len(ids) > MOST else ""
    return f"there are {', '.join(ids[:MOST])}{more}"
