"""Load a cluster's description, reporting everything that is wrong with it at once, with file and line."""

import json
from pathlib import Path

from pydantic import ValidationError

from orchestrator.clusters.description import Cluster
from orchestrator.core.findings import StudyErrors
from orchestrator.study.document import Document, read_file
from orchestrator.study.location import Locations, Problem
from orchestrator.study.messages import explain

A_CLUSTER = "a cluster is a mapping of sections (name:, platform:, head:, workers:, storage:, ...)"


def load_cluster(path: Path | str) -> Cluster:
    """Return the cluster that the file at ``path`` describes; raise ``StudyErrors`` with all that is wrong."""
    document = read_file(Path(path), str(path), A_CLUSTER)
    if document.problems or not document.complete:
        raise _errors(document, document.problems)
    try:
        # By way of JSON: strict mode takes JSON's lists for tuples, but not Python's.
        return Cluster.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        raise _errors(document, explain(error, Cluster, document.data)) from error


def _errors(document: Document, problems: list[Problem]) -> StudyErrors:
    locations = Locations(document.lines)
    return StudyErrors(locations.finding(problem) for problem in problems)
