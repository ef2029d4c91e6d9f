"""Create the sampler of an open search."""

from orchestrator.search.sampler import Sampler
from orchestrator.study.schema import StudySpec
from trainers.schema.plugins import name_of, require_members, resolved


def sampler_of(study: StudySpec) -> Sampler:
    """Return the sampler of an open search: each algorithm names its own."""
    algorithm = study.search.algorithm
    named_by = f"{name_of(type(algorithm))}.sampler"
    found: Sampler = resolved(algorithm.sampler, named_by)(study)
    require_members(found, Sampler, named_by, algorithm.sampler)
    return found
