"""Prepare a run: check the plan against this machine, find the cluster, fetch weights, reach MLflow."""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from orchestrator.core.errors import OperationError, UserError
from orchestrator.core.findings import StudyErrors
from orchestrator.plan.build_check import build_detectors
from orchestrator.plan.machine import Machine
from orchestrator.plan.plan import Plan
from orchestrator.plan.weights import needed_urls
from orchestrator.study.load import LoadedStudy

if TYPE_CHECKING:
    from orchestrator.tracking.tracker import Tracker

log = logging.getLogger(__name__)


def require_runnable(plan: Plan) -> None:
    """Raise when the study is wrong, when its data is not here, or when a trial fits nowhere."""
    error = obstacle(plan)
    if error is not None:
        raise error


def obstacle(plan: Plan) -> StudyErrors | UserError | None:
    """Return the error with which ``run`` would refuse the plan, ``None`` where it can run here."""
    errors = [finding for finding in plan.findings if finding.level == "error"]
    if errors:
        return StudyErrors(errors)
    later = (*needed_urls(plan.study).values(), "scaling")  # weights are fetched below, room is looked at next
    lacking = [one for one in plan.findings if one.level == "missing" and not one.where.endswith(later)]
    if lacking:  # the sentence is all that some readers see, such as those of a submission's status
        of = f" (the first of {len(lacking)})" if lacking[1:] else ""
        return UserError(f"{lacking[0].where}: {lacking[0].message}{of}: give this before running the study")
    if plan.resources.concurrent == 0:
        return UserError("no trial fits on this machine: lower scaling, or pass --address of a larger cluster")
    return None


def require_fitting(loaded: LoadedStudy, plan: Plan) -> None:
    """Raise ``StudyErrors`` when weights that have just been fetched do not fit their detectors."""
    errors = [finding for finding in build_detectors(loaded, plan).findings if finding.level == "error"]
    if errors:
        raise StudyErrors(errors)


def cluster_at(address: str, variables: Mapping[str, str] | None = None) -> Machine:
    """Connect to a running cluster, whose workers get ``variables``, and return its resources."""
    from orchestrator.core import ray_environment

    ray_environment.prepare(address)
    log.info("connecting to Ray at %s", address)
    from orchestrator.execution.ray_cluster import cluster, start_ray

    start_ray(address, variables)
    return cluster()


def fetch_weights(urls: Iterable[str]) -> None:
    """Fetch public weights before anything is started; raise ``OperationError`` when they cannot be had."""
    from trainers.schema.remote import FetchError, fetch

    for url in urls:
        try:
            fetch(url)
        except FetchError as error:
            raise OperationError(str(error)) from error


def require_tracker(tracker: "Tracker") -> None:
    """Raise when MLflow refuses the study; one that is away delays nothing, its address may be right."""
    from orchestrator.tracking.faults import Unreachable

    try:
        tracker.connect()
    except Unreachable as error:
        log.warning("%s; training continues, and results wait in the store", error)
