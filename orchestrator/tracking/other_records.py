"""Report trials of a plan for which MLflow has more than the store; only the store decides which trials remain."""

from collections.abc import Iterator

from orchestrator.core.findings import Finding
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from trainers.schema.status import is_over


def differing_records(plan: Plan, store: Store) -> Iterator[Finding]:
    """Yield the findings of the result-reading commands on the same trials.

    MLflow is asked where trials are left to train.
    """
    is_there = plan.study.tracking.uri is not None or store.database.exists()
    if is_there and any(not is_over(trial.status) for trial in plan.trials):
        from orchestrator.tracking.reading import further_in_mlflow  # it loads MLflow, which takes seconds

        yield from (Finding("warning", "tracking", sentence) for sentence in further_in_mlflow(plan, store))
