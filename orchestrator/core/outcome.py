"""Hold how a command ended."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ExitStatus:
    """Hold an exit code and, unless it is 0, the reason in one line."""

    code: int
    reason: str = ""
