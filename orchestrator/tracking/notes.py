"""Describe runs in words, as MLflow shows them above a run's page, and lead to comparisons from there."""

import json
from collections.abc import Sequence
from urllib.parse import quote

from orchestrator.plan.labels import point_text
from orchestrator.plan.trial import PlannedTrial
from orchestrator.tracking.runs import of_study

NOTE = "mlflow.note.content"  # Markdown
LONGEST_NOTE = 8000  # characters; MLflow's limit
MARK = "\n\n**Compare**: "  # what stands before it is the study's description, or what somebody has made of it
PAGE = "\n\n**Did it help?** [The study's page]({}) tells, while `stillhouse dashboard serve` runs there."
MOST_COMPARED = 40  # runs; MLflow's own page gets slow, and the address long


def trial_note(trial: PlannedTrial, study: str) -> str:
    """Return a sentence or two that describe the trial."""
    detector = trial.spec.student.config
    if trial.role == "teacher":
        done = "trained" if trial.spec.init is None else "taken from a checkpoint and evaluated"
        return f"The teacher of study {study}: `{detector}`, {done}."
    if trial.spec.teacher is None:
        what = "trained alone, to compare with"
    else:
        what = f"distilled by {trial.spec.method.kind} {point_text(trial.params)}".strip()
    return f"A student of study {study}, `{detector}`, {what}. Seed {trial.spec.seed}."


def page_of_study(address: str, run_id: str) -> str:
    """Return where the dashboard that is served at ``address`` shows the study of a run."""
    return f"{address.rstrip('/')}/#study={run_id}"


def study_note(present: str, experiment: str, fingerprint: str, runs: Sequence[str], page: str) -> str:
    """Return a study's description with links to its trials side by side and to its page; text before them is kept.

    The links to trials lead on from wherever MLflow's pages are served, ``page`` to a dashboard.
    """
    description = present.partition(MARK)[0]
    table = f"#/experiments/{experiment}/runs?searchFilter={quote(of_study(fingerprint), safe='')}"
    links = [f"[all trials]({table})", f"[their curves]({table}&compareRunsMode=CHART)"]
    if 1 < len(runs) <= MOST_COMPARED:
        ids, experiments = (quote(json.dumps(part), safe="") for part in (list(runs), [experiment]))
        links.append(f"[settings and results](#/compare-runs?runs={ids}&experiments={experiments})")
    note = f"{description}{MARK}{', '.join(links)}{PAGE.format(page)}"
    return note if len(note) <= LONGEST_NOTE else present
