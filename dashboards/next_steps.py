"""Name the commands that go on with a study, as far as its tracking store tells."""

from collections.abc import Sequence

from dashboards.predictions import TAG
from dashboards.progress import counts, status_of
from dashboards.run_record import RunRecord
from dashboards.schema import NextStep
from dashboards.studies import StudyRuns
from orchestrator.study.wording import counted

ENDED = ("finished", "stopped", "failed")


def next_steps(study: StudyRuns, trials: Sequence[RunRecord], has_best: bool, now: float) -> list[NextStep]:
    """Return the commands, the first one first; none for runs that no study of Stillhouse made.

    While something runs there is nothing to start: its log can be followed. Trials that have not ended come before results.
    """
    if study.own is None or study.own.kind != "study":
        return []
    states = counts(trials, now)
    left = max(study.own.planned or 0, len(trials)) - sum(states.get(state, 0) for state in ENDED)
    found: list[NextStep] = []
    if states.get("running"):
        found.append(_step("compare STUDY", "print the table of the results so far"))
    elif left:
        found.append(
            _step("run STUDY", f"train the {counted(left, 'trial')} that {'has' if left == 1 else 'have'} not ended")
        )
    failed = [trial.id for trial in trials if status_of(trial, now) == "failed"]
    if failed:
        found.append(_step(f"retry STUDY --trial {failed[0]}", "try the failed trial again from its last state"))
    if has_best:
        found.append(_step("export STUDY --to student", "write the best student's weights"))
        if not any(TAG in trial.run.tags for trial in trials):
            found.append(_step("predict STUDY", "see where students differ on images"))
        found.append(_step("report STUDY", "write the table with its provenance"))
    return found


def _step(command: str, purpose: str) -> NextStep:
    return {"command": f"stillhouse {command}", "purpose": purpose}
