"""Load a study: read, inherit, override, validate and cross-check it, reporting everything at once."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.core.findings import Finding, StudyErrors
from orchestrator.study.checks import run_checks
from orchestrator.study.draft import Draft, validate, without_contents
from orchestrator.study.inherit import StudySource, read_source
from orchestrator.study.location import Locations, Problem
from orchestrator.study.mapping import StudyMapping
from orchestrator.study.overrides import apply_sets
from orchestrator.study.paths import resolve_paths
from orchestrator.study.schema import StudySpec
from orchestrator.study.substitute import SPACE


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """Hold a study without errors, its paths absolute; ``warnings`` are the findings that are no errors."""

    study: StudySpec
    origin: Path | StudyMapping
    locations: Locations
    warnings: tuple[Finding, ...]

    def where(self, key: str) -> str:
        """Return ``file:line: key`` for a dotted key, for findings that are made later."""
        if key.startswith(SPACE):  # a searched key has dots itself
            return self.locations.where((*SPACE.split(".")[:2], key.removeprefix(SPACE)))
        return self.locations.where(tuple(key.split(".")))


def load_study(
    origin: Path | str | StudyMapping, sets: Iterable[str] = (), *, trust_python: bool = False
) -> LoadedStudy:
    """Load a study from a file, from the shipped file ``stillhouse::path`` or from a mapping.

    ``sets`` (``key=value``) go on top.
    ``trust_python`` allows local detector configs, which can run code when the detector is built. Raises
    ``StudyErrors`` with all findings when one of them is an error.
    """
    origin = Path(origin) if isinstance(origin, str) else origin
    source = _without_val(apply_sets(read_source(origin), sets))
    draft, problems = _examine(source, trust_python=trust_python)
    findings = _findings(problems, source.locations)
    if draft is None or any(finding.level == "error" for finding in findings):
        raise StudyErrors(findings)
    return LoadedStudy(draft.study, origin, source.locations, findings)


def _without_val(source: StudySource) -> StudySource:
    """Take ``dataset.val: null`` beside ``dataset.split`` for no ``val``: no ``--set`` can remove the key from a file."""
    dataset = source.data.get("dataset")
    if not isinstance(dataset, dict) or dataset.get("split") is None or dataset.get("val", "") is not None:
        return source
    kept = {key: value for key, value in dataset.items() if key != "val"}
    return replace(source, data={**source.data, "dataset": kept})


def _examine(source: StudySource, *, trust_python: bool) -> tuple[Draft | None, list[Problem]]:
    """Return the validated study, ``None`` when too little of it could be read, and everything wrong with it."""
    if not source.complete:
        return None, source.problems
    unread = [problem.path for problem in source.problems if problem.hides]
    problems = resolve_paths(source)
    draft, mistakes = validate(source.data, [path for path in unread if path])
    read = without_contents(source.problems, mistakes)
    return draft, [*read, *problems, *mistakes, *run_checks(draft, trust_python=trust_python)]


def _findings(problems: Iterable[Problem], locations: Locations) -> tuple[Finding, ...]:
    """Render problems in the order of the files, each once."""
    ordered = sorted(problems, key=lambda problem: _order(problem, locations))
    return tuple(dict.fromkeys(locations.finding(problem) for problem in ordered))


def _order(problem: Problem, locations: Locations) -> tuple[str, int]:
    at = problem.location or locations.nearest(problem.path)
    return at.source, at.line or 0
