"""Write and read the papers of an exported student: the parts of its identity, and the digests of its files."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.core.errors import UserError
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial
from orchestrator.study.fingerprint import canonical_json, parts_fingerprint
from orchestrator.tracking.provenance import package_versions
from trainers.schema.cpu import cpu_name
from trainers.schema.digest import file_digest
from trainers.schema.foreign_json import parse_json
from trainers.schema.user_file import read_bytes

PAPERS, FORMAT = "provenance.json", 1
LARGEST = 16 << 20  # bytes: a study's settings, not its data


@dataclass(frozen=True)
class TrialPapers:
    """Hold a trial's id with the parts that it is derived from, and its searched values by key."""

    trial: str
    identity: dict[str, Any]
    params: dict[str, Any]

    @property
    def seed(self) -> Any:
        """Return the trial's seed."""
        return self.identity.get("seed")

    def derived(self) -> str:
        """Return the id that follows from the parts."""
        texts = {name: canonical_json(part) for name, part in self.identity.items()}
        return parts_fingerprint(texts)[:ID_LENGTH]


@dataclass(frozen=True)
class Papers:
    """Hold the papers of an export.

    ``files`` are SHA-256 by name, ``teacher`` is that of a student whose teacher is a trial, too. ``metrics`` are those of the
    exported epoch, empty where they could not be read; ``exported_on`` is the kind of CPU.
    """

    student: TrialPapers
    teacher: TrialPapers | None
    files: dict[str, str]
    metrics: dict[str, float]
    study: str
    packages: dict[str, str]
    exported_on: str


def write_papers(plan: Plan, trial: PlannedTrial, metrics: Mapping[str, float], made: Path) -> None:
    """Write the papers of the files that were made for a trial; they are the last file."""
    teacher = plan.teacher_of(trial)
    papers = Papers(
        student=_papers(plan, trial),
        teacher=_papers(plan, teacher) if teacher else None,
        files={path.name: file_digest(path) for path in sorted(made.iterdir())},
        metrics=dict(metrics),
        study=plan.study.name,
        packages=package_versions(),
        exported_on=cpu_name(),
    )
    text = json.dumps({"format": FORMAT, **asdict(papers)}, indent=1)
    (made / PAPERS).write_text(text + "\n", encoding="utf-8")


def _papers(plan: Plan, trial: PlannedTrial) -> TrialPapers:
    parts = plan.planner.parts_of(trial)
    return TrialPapers(trial.id, {name: parse_json(text) for name, text in parts.items()}, trial.params)


def read_papers(folder: Path) -> Papers:
    """Return the papers of an export; raise ``UserError`` where there are none, or none that can be read."""
    path = folder / PAPERS
    try:
        content = parse_json(read_bytes(path, LARGEST))
        if content["format"] != FORMAT:
            raise UserError(
                f"{path} has format {content['format']!r:.20}, and this release reads {FORMAT}: take the newer one"
            )
        teacher = content["teacher"]
        return Papers(
            student=_trial(content["student"]),
            teacher=None if teacher is None else _trial(teacher),
            files=_texts(content["files"]),
            metrics={str(name): float(value) for name, value in content["metrics"].items()},
            study=str(content["study"]),
            packages=_texts(content["packages"]),
            exported_on=str(content["exported_on"]),
        )
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path} does not exist: name a folder that stillhouse export has written") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read as the papers of a student: {error}; export the student again"
        ) from error


def _trial(content: dict[str, Any]) -> TrialPapers:
    if not (isinstance(content["identity"], dict) and isinstance(content["params"], dict)):
        raise TypeError("identity or params is no mapping")
    return TrialPapers(str(content["trial"]), content["identity"], content["params"])


def _texts(content: dict[str, Any]) -> dict[str, str]:
    return {str(name): str(text) for name, text in content.items()}
