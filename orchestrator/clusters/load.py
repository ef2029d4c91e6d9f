"""Load a cluster's description, reporting everything that is wrong with it at once, with file and line."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from orchestrator.clusters.description import Cluster
from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.plan.resources import resources, wanted
from orchestrator.study.document import Document, read_file
from orchestrator.study.location import Locations, Problem
from orchestrator.study.messages import explain
from orchestrator.study.schema import StudySpec
from orchestrator.study.wording import counted

A_CLUSTER = "a cluster is a mapping of sections (name:, platform:, head:, workers:, storage:, ...)"


@dataclass(frozen=True)
class DescribedCluster:
    """Hold a cluster and the lines of the file that describes it."""

    cluster: Cluster
    locations: Locations

    def require_room(self, study: StudySpec) -> None:
        """Raise ``StudyErrors`` when the cluster has no room for a trial of ``study`` at its largest size either."""
        granted = resources(study, self.cluster.grown)
        if granted.concurrent:
            return
        largest = max(self.cluster.kinds, key=lambda kind: (kind.gpus, kind.cpus))
        raise StudyErrors([
            Finding(
                "error",
                self.locations.where(("workers",)),
                f"no trial of {study.name} has room on these machines: it needs {wanted(granted)}, and the largest machine "
                f"has {counted(largest.cpus, 'CPU')} and {counted(largest.gpus, 'GPU')} "
                f"({counted(self.cluster.platform.most_workers(self.cluster), 'machine')} at most); change workers here, or scaling in the study",
            )
        ])  # fmt: skip


def load_cluster(path: Path | str) -> Cluster:
    """Return the cluster that the file at ``path`` describes; raise ``StudyErrors`` with all that is wrong."""
    return load_described(path).cluster


def load_described(path: Path | str) -> DescribedCluster:
    """Return the cluster that the file at ``path`` describes, with its lines; raise ``StudyErrors``."""
    document = read_file(Path(path), str(path), A_CLUSTER)
    if document.problems or not document.complete:
        raise _errors(document, document.problems)
    try:
        # By way of JSON: strict mode takes JSON's lists for tuples, but not Python's.
        cluster = Cluster.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise _errors(document, explain(error, Cluster, document.data)) from error
    return DescribedCluster(cluster, Locations(document.lines))


def _errors(document: Document, problems: list[Problem]) -> StudyErrors:
    locations = Locations(document.lines)
    return StudyErrors(locations.finding(problem) for problem in problems)
