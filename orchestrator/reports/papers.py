"""Write and read the papers of an exported student: the parts of its identity, and the digests of its files."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from orchestrator.core.errors import UserError
from orchestrator.core.printable import printable
from orchestrator.plan.plan import Plan
from orchestrator.plan.trial import ID_LENGTH, PlannedTrial
from orchestrator.study.fingerprint import canonical_json, parts_fingerprint
from orchestrator.tracking.provenance import package_versions
from trainers.schema.cpu import cpu_name
from trainers.schema.digest import file_digest
from trainers.schema.foreign_json import parse_json
from trainers.schema.user_file import UnfitFile, read_bytes

PAPERS, FORMAT = "provenance.json", 1
LARGEST = 16 << 20  # bytes: a study's settings, not its data
LONGEST_TEXT = 500  # characters of a name, a digest or a version
TRIAL_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")


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
        content = parse_json(read_bytes(path, LARGEST), equal_keys=False)
        if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
            raise UserError(
                f"{path} has format {content['format']!r:.20}, and this release reads {FORMAT}: take the newer one"
            )
        return _papers_of(content)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"{path} does not exist: name a folder that stillhouse export has written") from None
    except UnfitFile as error:
        raise UserError(f"{path} {error.strerror}: name a folder that stillhouse export has written") from None
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(
            f"{path} cannot be read as the papers of a student: {said}; export the student again"
        ) from error


def _papers_of(content: Any) -> Papers:
    """Return the papers that JSON holds; raise ``ValueError`` with a phrase for the first thing that is wrong with it."""
    keys = _mapping(content, "it", ["format", *(field.name for field in fields(Papers))])
    return Papers(
        student=_trial_of(keys["student"], "student"),
        teacher=None if keys["teacher"] is None else _trial_of(keys["teacher"], "teacher"),
        files=_texts(keys["files"], "files"),
        metrics={
            name: _number(value, f"metrics: {name}") for name, value in _mapping(keys["metrics"], "metrics").items()
        },
        study=_text(keys["study"], "study"),
        packages=_texts(keys["packages"], "packages"),
        exported_on=_text(keys["exported_on"], "exported_on"),
    )


def _trial_of(content: Any, place: str) -> TrialPapers:
    keys = _mapping(content, place, [field.name for field in fields(TrialPapers)])
    trial, identity = _text(keys["trial"], f"{place}: trial"), _mapping(keys["identity"], f"{place}: identity")
    if not TRIAL_ID.fullmatch(trial):
        raise ValueError(f"{place}: trial is no id of {ID_LENGTH} hexadecimal digits")
    found = TrialPapers(trial, identity, _mapping(keys["params"], f"{place}: params"))
    try:
        canonical_json([found.identity, found.params])
    except ValueError:
        raise ValueError(f"{place} holds a number that is not finite") from None
    return found


def _mapping(content: Any, place: str, keys: Sequence[str] | None = None) -> dict[str, Any]:
    """Return a mapping, with exactly these keys where they are given."""
    if not isinstance(content, dict):
        raise ValueError(f"{place} is no mapping")
    for key in keys or ():
        if key not in content:
            raise ValueError(f"{place} lacks {key}")
    for key in content if keys else ():
        if key not in (keys or ()):
            raise ValueError(f"{place} has the unknown key {key!r:.40}")
    return content


def _texts(content: Any, place: str) -> dict[str, str]:
    return {
        _text(name, f"{place}: a name"): _text(text, f"{place}: {name}")
        for name, text in _mapping(content, place).items()
    }


def _text(value: Any, place: str) -> str:
    """Return a text that a terminal shows as it is."""
    if not isinstance(value, str):
        raise ValueError(f"{place} is no text")
    if len(value) > LONGEST_TEXT or printable(value) != value:
        raise ValueError(f"{place} is longer than {LONGEST_TEXT} characters, or has some that cannot be shown")
    return value


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{place} is no number")
    return float(value)
