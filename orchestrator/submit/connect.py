"""Find whom to ask about submissions: the cluster that was named, a service, or the environment's cluster."""

import os
from pathlib import Path

from orchestrator.core.errors import UserError
from orchestrator.submit.cluster import ADDRESS, RayCluster
from orchestrator.submit.direct import Direct
from orchestrator.submit.record import JobRecords
from orchestrator.submit.submissions import Submissions

SERVICE = "STILLHOUSE_URL"


NO_CLUSTER = f"name a cluster by --address http://HOST:8265 or {ADDRESS}, or a service by {SERVICE}"


def names_cluster(address: str | None) -> bool:
    """Return whether the command line or the environment says whom to ask about submissions."""
    return bool(address or os.environ.get(SERVICE) or os.environ.get(ADDRESS))


def connect(address: str | None, store: str) -> Submissions:
    """Return the submissions of the cluster at ``address``, else of the service or cluster that the environment names.

    Raises ``UserError`` when nothing is named.
    """
    service = os.environ.get(SERVICE)
    if not address and service:
        from orchestrator.submit.service_client import Remote

        return Remote(service)
    address = address or os.environ.get(ADDRESS)
    if not address:
        raise UserError(NO_CLUSTER)
    return Direct(RayCluster(address), JobRecords(Path(store)))
