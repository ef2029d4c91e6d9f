"""Collect what is found in a dataset, so that a mistake made a million times is told twenty times."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from orchestrator.findings import Finding, Level

MOST = 20  # findings of one kind that are told one by one


@dataclass(slots=True)
class Ledger:
    """Hold findings by kind, a phrase in the plural such as ``boxes without area``."""

    told: dict[str, list[Finding]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def error(self, kind: str, where: str, message: str) -> None:
        """Note something that makes training or evaluation wrong or impossible."""
        self._add(kind, Finding("error", where, message))

    def warning(self, kind: str, where: str, message: str) -> None:
        """Note something that may be meant."""
        self._add(kind, Finding("warning", where, message))

    @property
    def has_errors(self) -> bool:
        """Tell whether any finding is an error."""
        return any(findings[0].level == "error" for findings in self.told.values())

    def findings(self) -> Iterator[Finding]:
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
