"""Name trials and their settings as people read them in MLflow."""

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from orchestrator.plan import PlannedTrial
from orchestrator.points import point_text
from orchestrator.printable import printable
from orchestrator.redact import redacted


def flat_params(trial: PlannedTrial) -> dict[str, str]:
    """Return the trial's settings as dotted keys; lists and nothing else stay JSON."""
    spec = trial.spec
    sections: dict[str, BaseModel | None] = {
        "dataset": spec.dataset, "student": spec.student, "method": spec.method, "schedule": spec.schedule,
        "teacher": spec.teacher, "segment": spec.segment,
    }  # fmt: skip
    found = {"seed": str(spec.seed)}
    for name, section in sections.items():
        if section is not None:
            found |= dict(_flatten(name, section.model_dump(mode="json")))
    return found


def _flatten(prefix: str, value: Any) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flatten(f"{prefix}.{key}", inner)
    else:
        yield prefix, redacted(value if isinstance(value, str) else json.dumps(value))


def run_name(trial: PlannedTrial) -> str:
    """Return a name that tells the trial apart at a glance, safe to print."""
    if trial.role == "teacher":
        return f"teacher-{trial.id[:6]}"
    words = (trial.spec.method.kind, point_text(trial.params), f"seed={trial.spec.seed}")
    return printable(" ".join(word for word in words if word))
