"""Create the sampler of an open search."""

from orchestrator.search.sampler import Sampler
from orchestrator.study.schema import StudySpec


def sampler_of(study: StudySpec) -> Sampler:
    """Return the sampler of an open search."""
    if study.search.algorithm == "pbt":
        from orchestrator.search.population import PopulationSampler

        return PopulationSampler(study.search, study.schedule.epochs or 1)
    from orchestrator.search.tpe import TpeSampler

    return TpeSampler(study.search)
