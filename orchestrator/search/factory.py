"""Create the sampler of an open search."""

from orchestrator.search.sampler import Sampler
from orchestrator.study.schema import StudySpec
from trainers.schema.plugins import resolved


def sampler_of(study: StudySpec) -> Sampler:
    """Return the sampler of an open search: each algorithm names its own."""
    found: Sampler = resolved(study.search.algorithm.sampler)(study)
    return found
