"""Hold what was found in a folder: the settings of a dataset section, and remarks for whoever reads them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from trainers.schema.annotations import SplitName


@dataclass
class Found:
    """Hold a dataset that was recognised.

    ``kind`` is the study's word for its format, ``what`` says it for people. ``splits`` are the settings of each split,
    ``settings`` all others but ``root`` and ``classes``. ``remarks`` become comments.
    """

    kind: str
    what: str
    splits: dict[SplitName, Any]
    settings: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def is_divided(self) -> bool:
        """Return whether the study has to divide the images itself."""
        return "val" not in self.splits

    @property
    def section(self) -> dict[str, Any]:
        """Return the keys of the dataset section that name files and how to read them."""
        return {str(split): value for split, value in self.splits.items()} | self.settings


def one_or_all(parts: Sequence[Any]) -> Any:
    """Return the only part, or a list of all."""
    return parts[0] if len(parts) == 1 else list(parts)
