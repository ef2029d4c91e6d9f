"""Take the dataset section from a study, or from a file that holds nothing else."""

from collections.abc import Iterable
from pathlib import Path

from orchestrator.core.errors import UserError
from orchestrator.core.findings import StudyErrors
from orchestrator.study.draft import PLACEHOLDERS, validate
from orchestrator.study.inherit import read_source
from orchestrator.study.location import Problem
from orchestrator.study.overrides import apply_sets
from orchestrator.study.paths import resolve_paths
from trainers.schema import DatasetSpec

SECTION = "dataset"


def read_dataset(path: Path, sets: Iterable[str]) -> DatasetSpec:
    """Return the dataset of a study file with ``sets`` (``key=value``) applied; ignores the other sections.

    Raises ``StudyErrors`` with all mistakes in the section, including unset variables.
    """
    source = apply_sets(read_source(path), sets)
    problems: list[Problem] = list(source.problems)
    if source.complete and SECTION not in source.data and not problems:
        raise UserError(f"{path}: has no section {SECTION}")
    if source.complete and SECTION in source.data:
        problems = [problem for problem in (*problems, *resolve_paths(source)) if problem.path[:1] == (SECTION,)]
        draft, mistakes = validate({**PLACEHOLDERS, SECTION: source.data[SECTION]}, [])
        problems += mistakes
        if not problems:
            return draft.study.dataset
    raise StudyErrors(dict.fromkeys(source.locations.finding(problem) for problem in problems))
