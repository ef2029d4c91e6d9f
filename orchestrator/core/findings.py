"""Report problems and notes about a user's input: the message, the place, and the severity."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.core.printable import printable
from orchestrator.core.redact import redacted

Level = Literal["error", "warning", "missing", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Hold one finding about an input; ``where`` is ``file:line: key.path`` or ``--set key``.

    An ``error`` stops everything, a ``warning`` stops nothing; a ``note`` states a consequence of the input.
    ``missing`` names something outside the study that is not on this machine (data, a variable): the study can be
    planned here but not run. As text it is safe to print for any study.
    """

    level: Level
    where: str
    message: str

    def __str__(self) -> str:
        label = "" if self.level == "error" else f"{self.level}: "
        return printable(redacted(f"{self.where}: {label}{self.message}"))


class StudyErrors(Exception):
    """Carry all findings about a study that has at least one error; its text is one finding a line."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))
