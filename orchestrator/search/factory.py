"""Create the sampler of an open search."""

from orchestrator.search.advisor import Advisor
from orchestrator.study.schema import Study


def advisor_of(study: Study) -> Advisor:
    """Return the sampler of an open search."""
    if study.search.algorithm == "pbt":
        from orchestrator.search.population import PopulationAdvisor

        return PopulationAdvisor(study.search, study.schedule.epochs or 1)
    from orchestrator.search.tpe import TpeAdvisor

    return TpeAdvisor(study.search)
