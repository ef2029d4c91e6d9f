"""Open a study's tracking store."""

from mlflow.tracking import MlflowClient

from orchestrator.core.errors import UserError
from orchestrator.core.redact import first_line
from orchestrator.core.store import Store
from orchestrator.plan.plan import Plan
from orchestrator.tracking.artifact_locations import bring_home
from orchestrator.tracking.faults import TrackingRefused, plainly
from orchestrator.tracking.library_logs import silence_libraries
from orchestrator.tracking.new_database import first_client
from orchestrator.tracking.probe import require_answer


def tracking_uri(plan: Plan, store: Store) -> str:
    """Return the address of the study's tracking store, secrets included."""
    return plan.study.tracking.uri or store.tracking_uri


def open_client(plan: Plan, store: Store, *, reading: bool = False) -> MlflowClient:
    """Return a client of the study's tracking store; ``reading`` writes nothing.

    Otherwise tables are created, and a store that was moved is told where its artifacts are.

    Raises ``Unreachable`` when it does not answer now, ``TrackingRefused`` when the user has to change something first.
    """
    client = client_at(tracking_uri(plan, store), reading=reading)
    if not reading:
        with plainly():
            bring_home(client, store)
    return client


def client_at(uri: str, *, reading: bool) -> MlflowClient:
    """Return a client of the tracking store at an address; see ``open_client``."""
    require_answer(uri, reading=reading)
    silence_libraries()
    with plainly():
        try:
            client = MlflowClient(tracking_uri=uri) if reading else first_client(uri)
            client.search_experiments(max_results=1)
        except ValueError as error:  # of a variable, such as MLFLOW_HTTP_REQUEST_TIMEOUT=soon
            raise TrackingRefused(f"MLflow's client cannot be set up: {first_line(error)}") from error
    return client


def open_results(plan: Plan, store: Store, *, adding: bool = False) -> MlflowClient:
    """Return a client that reads results, or is ``adding`` to them.

    Raises ``UserError`` where there are none, instead of creating a database.
    """
    if plan.study.tracking.uri is None and not store.database.exists():
        raise UserError(f"the store {store.root} holds no results yet: run the study first, or name another --store")
    return open_client(plan, store, reading=not adding)
