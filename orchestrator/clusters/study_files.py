"""Hold a study as rendered files carry it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class StudyFiles:
    """Hold the ``text`` of a study with its bases and, by the names that it has for them, the texts of its local configs.

    ``options`` are those of ``stillhouse run`` that it needs.
    """

    text: str
    configs: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
