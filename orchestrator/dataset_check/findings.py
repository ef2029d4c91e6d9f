"""Collect a dataset's findings; a mistake made a million times is reported twenty times."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.core.findings import Finding, Level
from trainers.schema.annotations import Notes, OddityKind
from trainers.schema.annotations.notes import MOST  # findings of one kind that are told one by one


@dataclass(slots=True)
class Findings:
    """Hold findings by kind, a phrase in the plural such as ``boxes without area``."""

    told: dict[str, list[Finding]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def error(self, kind: str, where: str, message: str) -> None:
        """Note something that makes training or evaluation wrong or impossible."""
        self._add(kind, Finding("error", where, message))

    def warning(self, kind: str, where: str, message: str) -> None:
        """Note something that may be meant."""
        self._add(kind, Finding("warning", where, message))

    def take(self, kind: OddityKind, notes: Notes) -> None:
        """Add a reader's notes of one kind."""
        told, count = notes.told[kind], notes.counts[kind]
        if kind.once:
            more = f" (and {count - 1} more)" if count > 1 else ""
            told = [told[0]._replace(message=f"{told[0].message}{more}")]
        for note in told:
            self._add(kind.name, Finding(kind.level, note.where, note.message))
        if not kind.once:
            self.counts[kind.name] += count - len(told)

    @property
    def has_errors(self) -> bool:
        """Return whether any finding is an error."""
        return any(findings[0].level == "error" for findings in self.told.values())

    def listed(self) -> Iterator[Finding]:
        """Yield errors, then warnings; of each kind the first ones, then how many more there are."""
        levels: tuple[Level, ...] = ("error", "warning")
        for level in levels:
            for kind, findings in self.told.items():
                if findings[0].level == level:
                    yield from findings
                    yield from self._rest(kind, level)

    def _add(self, kind: str, finding: Finding) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= MOST:
            self.told.setdefault(kind, []).append(finding)

    def _rest(self, kind: str, level: Level) -> Iterator[Finding]:
        more = self.counts[kind] - len(self.told[kind])
        if more:
            yield Finding(level, kind, f"{more} more")
