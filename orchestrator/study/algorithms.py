"""Define the search algorithms: one section each, with its abilities and its sampler. Imports nothing heavy.

A package adds an algorithm by an entry point in the group ``stillhouse.algorithms`` that names an ``Algorithm``.
"""

from typing import ClassVar, Literal

from trainers.schema.base import Section
from trainers.schema.plugins import by_kind, plugged_sections

GROUP = "stillhouse.algorithms"


class Algorithm(Section):
    """Hold the keys that belong to one search algorithm; all algorithms share the other keys of ``search``.

    ``sampler`` is an import string, ``module:Class``, of an ``orchestrator.search.sampler.Sampler`` that takes the
    study; "" where all points are known beforehand. ``samples`` says for messages how ``search.samples`` is counted; ""
    where every combination is a point. With ``has_segments`` a trial continues from its parent's last state, as
    ``search.population`` says. A ``sequential`` algorithm learns nothing from points that run side by side, so an
    automatic cohort stays small.
    """

    sampler: ClassVar[str] = ""
    samples: ClassVar[str] = "the number of points to try"
    has_segments: ClassVar[bool] = False
    sequential: ClassVar[bool] = True
    takes_objectives: ClassVar[bool] = False
    takes_warm_start: ClassVar[bool] = False
    kind: str

    @property
    def is_open(self) -> bool:
        """Tell whether points follow from results, so that they are known only one after the other."""
        return bool(self.sampler)

    @property
    def draws(self) -> bool:
        """Tell whether values are drawn from the space, ``search.samples`` times."""
        return bool(self.samples)


class Grid(Algorithm):
    """Try every combination."""

    samples = ""
    kind: Literal["grid"]


class Random(Algorithm):
    """Try combinations that are drawn beforehand."""

    samples = "the number of points to draw"
    kind: Literal["random"]


class Optuna(Algorithm):
    """Try the combination of which Optuna's tree-structured Parzen estimator expects most."""

    sampler = "orchestrator.search.tpe:TpeSampler"
    takes_objectives = True
    takes_warm_start = True
    kind: Literal["optuna"]


class Pbt(Algorithm):
    """Train a population whose worst members go on from the best (population-based training)."""

    sampler = "orchestrator.search.population:PopulationSampler"
    samples = "the number of members"
    has_segments = True
    sequential = False
    kind: Literal["pbt"]


BUILT_IN: tuple[type[Algorithm], ...] = (Grid, Random, Optuna, Pbt)


def algorithms() -> dict[str, type[Algorithm]]:
    """Return the search algorithms by kind: the built-in ones, then those of installed packages."""
    return by_kind(BUILT_IN, plugged_sections(GROUP, Algorithm, _lacks_a_sampler), GROUP)


def _lacks_a_sampler(section: type[Algorithm]) -> str | None:
    """Return the fault of an algorithm that is not open: nothing but the two built in could find its points."""
    return None if section.sampler else "does not set the class variable sampler of Algorithm"
