"""Describe the submission of a study."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from orchestrator.core.store import Store
from orchestrator.plan.plan import make_plan
from orchestrator.study.load import LoadedStudy
from orchestrator.submit.identity import submission_key
from orchestrator.submit.job_request import JobRequest, shared_store
from orchestrator.submit.shipment import Shipment, ship


def study_request(
    loaded: LoadedStudy,
    sets: Sequence[str] = (),
    store: str | Path | None = None,
    *,
    trust_config: bool = False,
    options: Iterable[str] = (),
    python: str | None = None,
    variables: Mapping[str, str] | None = None,
    resources: Mapping[str, float] | None = None,
    shipment: Shipment | None = None,
) -> JobRequest:
    """Return the submission for the study ``loaded`` with ``sets``; contacts no cluster.

    ``shipment`` holds the study's files if another machine packed them. See ``JobRequest`` for the rest.
    """
    place = shared_store(str(store) if store else None)
    trust = ("--trust-config",) if trust_config else ()
    plan = make_plan(loaded, Store(place))
    return JobRequest(
        key=submission_key(plan.fingerprint, place),
        study=plan.study.name,  # a shortened study has its own
        shipment=shipment or ship(loaded.origin, sets),
        store=place,
        options=(*trust, *options),
        python=python,
        variables=dict(variables or {}),
        resources=dict(resources or {}),
    )
