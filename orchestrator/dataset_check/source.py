"""Take the dataset section from a study, or from a file that holds nothing else."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.core.errors import UserError
from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.study.draft import PLACEHOLDERS, validate, without_contents
from orchestrator.study.inherit import read_source
from orchestrator.study.location import Locations, Problem
from orchestrator.study.overrides import apply_sets
from orchestrator.study.paths import resolve_paths
from trainers.schema import DatasetSpec

SECTION = "dataset"


@dataclass(frozen=True, slots=True)
class DatasetSection:
    """Hold a dataset without mistakes in its section, and where its keys were given."""

    dataset: DatasetSpec
    locations: Locations

    def where(self, key: str) -> str:
        """Return ``file:line: key`` for a dotted key."""
        return self.locations.where(tuple(key.split(".")))

    def located(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """Yield findings, those about a key of the section with its file and line."""
        for finding in findings:
            about_key = finding.where.startswith(f"{SECTION}.")
            yield replace(finding, where=self.where(finding.where)) if about_key else finding


def read_dataset(origin: Path, sets: Iterable[str]) -> DatasetSection:
    """Return the dataset of a study file with ``sets`` (``key=value``) applied; ignores the other sections.

    Raises ``StudyErrors`` with all mistakes in the section, including unset variables.
    """
    source = apply_sets(read_source(origin), sets)
    problems: list[Problem] = list(source.problems)
    if source.complete and SECTION not in source.data and not problems:
        raise UserError(f"{origin}: has no section {SECTION}")
    if source.complete and SECTION in source.data:
        problems = [problem for problem in (*problems, *resolve_paths(source)) if problem.path[:1] == (SECTION,)]
        draft, mistakes = validate({**PLACEHOLDERS, SECTION: source.data[SECTION]}, [])
        problems = [*without_contents(problems, mistakes), *mistakes]
        if not problems:
            return DatasetSection(draft.study.dataset, source.locations)
    raise StudyErrors(dict.fromkeys(source.locations.finding(problem) for problem in problems))
