"""Report problems and notes about a user's input: the message, the place, and the severity."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TextIO

from orchestrator.core.printable import printable
from orchestrator.core.redact import redacted
from orchestrator.core.terminal import painted_as

# The forms of ``where``, the first that fits: of a file's line, of --set, of a study without a file, of a key alone.
FORMS = (
    re.compile(r"(?P<file>.+?):(?P<line>\d+)(?:: (?P<key>.+))?", re.DOTALL),
    re.compile(r"--set (?:.*: )?(?P<key>.+)", re.DOTALL),
    re.compile(r"study(?:: (?P<key>.+))?", re.DOTALL),
    re.compile(r"(?P<key>[a-z_0-9]+(?:\.[a-z_0-9]+)*(?:\[\d+\])*)(?<!\.yaml)(?<!\.yml)(?<!\.py)(?<!\.json)"),
    re.compile(r"(?P<file>.+)", re.DOTALL),
)
Level = Literal["error", "warning", "missing", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one finding about an input; ``where`` is ``file:line: key.path`` or ``--set key``.

    An ``error`` stops everything, a ``warning`` stops nothing; a ``note`` states a consequence of the input.
    ``missing`` names something outside the study that is not on this machine (data, a variable): the study can be
    planned here but not run. As text it is safe to print for any study. ``file``, ``line`` and ``key`` are the parts of
    ``where``, ``None`` where it names none.
    """

    level: Level
    where: str
    message: str

    @property
    def file(self) -> str | None:
        """Return the file that the finding is about."""
        return self._part("file")

    @property
    def line(self) -> int | None:
        """Return the number of the line, from 1."""
        line = self._part("line")
        return None if line is None else int(line)

    @property
    def key(self) -> str | None:
        """Return the dotted key, ``search.seeds[0]``."""
        return self._part("key")

    def _part(self, name: str) -> str | None:
        return next((found.groupdict().get(name) for form in FORMS if (found := form.fullmatch(self.where))), None)

    def __str__(self) -> str:
        label = "" if self.level == "error" else f"{self.level}: "
        return printable(redacted(f"{self.where}: {label}{self.message}"))


def print_findings(findings: Iterable[Finding], stream: TextIO) -> None:
    """Print findings, one a line; on a terminal the place of an error and the word of a warning have colours."""
    for finding in findings:
        label = finding.where if finding.level == "error" else f"{finding.level}:"
        before, found, after = str(finding).partition(label)
        colour = found if finding.level == "note" else painted_as(finding.level, found, stream)
        print(f"{before}{colour}{after}", file=stream)


class StudyErrors(Exception):
    """Carry all findings about a study that has at least one error; its text is one finding a line."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))
