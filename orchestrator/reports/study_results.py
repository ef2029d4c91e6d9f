"""Read a study's results for Python, as ``stillhouse compare`` reads them."""

from dataclasses import dataclass
from typing import Any

from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.reports.study_report import results_json
from orchestrator.results.result import TrialResult
from orchestrator.results.result_table import ResultTable
from orchestrator.tracking.reading import read_study


@dataclass(frozen=True, repr=False)
class StudyResults(ResultTable):
    """Hold one result a planned trial, the teacher's first.

    ``note`` says in a sentence which of them are not from MLflow, and why; it is empty where all are.
    """

    found: tuple[TrialResult, ...] = ()
    note: str = ""

    @property
    def trials(self) -> tuple[TrialResult, ...]:
        return self.found

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``stillhouse compare --json`` prints."""
        return results_json(self.plan, list(self.trials))


def read_results_of(plan: Plan, store: Store) -> StudyResults:
    """Return the results of a plan's trials; raise ``UserError`` or ``OperationError`` where there are none to read."""
    found = read_study(plan, store)
    return StudyResults(plan, tuple(found.results), found.note)
