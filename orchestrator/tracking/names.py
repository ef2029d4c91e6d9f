"""Name trials and their settings as people read them in MLflow."""

from collections.abc import Sequence
from functools import partial

from pydantic import BaseModel

from orchestrator.core.by_object import ByObject
from orchestrator.core.printable import printable
from orchestrator.core.redact import redaction
from orchestrator.plan.labels import point_text
from orchestrator.plan.trial import PlannedTrial
from orchestrator.results.settings import flatten
from orchestrator.study.wording import counted

MOST_NAMED = 3  # trials in a sentence


def flat_params(trial: PlannedTrial, shared: ByObject[dict[str, str]] | None = None) -> dict[str, str]:
    """Return the trial's settings as dotted keys; lists and nothing else stay JSON.

    ``shared`` keeps the settings of sections that other trials of the same study share.
    """
    of = (shared or ByObject[dict[str, str]]()).of
    spec = trial.spec
    sections: dict[str, BaseModel | None] = {
        "dataset": spec.dataset, "student": spec.student, "method": spec.method, "schedule": spec.schedule,
        "teacher": spec.teacher, "segment": spec.segment,
    }  # fmt: skip
    found = {"seed": str(spec.seed)} | ({"shares": str(spec.shares)} if spec.shares else {})
    for name, section in sections.items():
        if section is not None:
            found |= of(partial(_flat, name, section), section, given=(name,))
    return found | ({"teacher.trial": trial.teacher} if trial.teacher else {})


def _flat(name: str, section: BaseModel) -> dict[str, str]:
    redacted = redaction()
    return {key: redacted(text) for key, text in flatten(name, section)}


def run_name(trial: PlannedTrial) -> str:
    """Return a name that tells the trial apart at a glance, safe to print."""
    if trial.role == "teacher":
        return f"teacher-{trial.id[:6]}"
    words = (trial.spec.method.kind, point_text(trial.params), f"seed={trial.spec.seed}")
    return printable(" ".join(word for word in words if word))


def named(trials: Sequence[PlannedTrial]) -> str:
    """Return how many trials there are, and the names of the first."""
    names = ", ".join(run_name(trial) for trial in trials[:MOST_NAMED])
    more = f" and {len(trials) - MOST_NAMED} more" if len(trials) > MOST_NAMED else ""
    return f"{counted(len(trials), 'trial')} ({names}{more})"
