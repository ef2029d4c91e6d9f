"""Read all pages of an answer of MLflow's, however many there are."""

from collections.abc import Callable, Iterator
from typing import Any

from mlflow.entities import Experiment, Run, ViewType
from mlflow.tracking import MlflowClient

PAGE = 1000  # runs or experiments a request


def all_experiments(client: MlflowClient, view: int = ViewType.ACTIVE_ONLY) -> list[Experiment]:
    """Return every experiment, by default those that are not deleted."""
    return list(every(lambda token: client.search_experiments(view, max_results=PAGE, page_token=token)))


def all_runs(
    client: MlflowClient, experiments: list[str], wanted: str = "", view: int = ViewType.ACTIVE_ONLY
) -> Iterator[Run]:
    """Yield every run of these experiments that a search finds, by default those that are not deleted."""
    if experiments:
        search = client.search_runs
        yield from every(lambda token: search(experiments, wanted, view, max_results=PAGE, page_token=token))


def every(ask: Callable[[str | None], Any]) -> Iterator[Any]:
    """Yield the items of all pages that MLflow answers with."""
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        token = page.token
        if not token:
            return
