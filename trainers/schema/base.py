"""Give every section of a study the same strictness: frozen, typed, no unknown keys."""

from typing import Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Hold one validated part of a study or a trial; immutable, and equal when its fields are equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def kind_of(section: type[Section]) -> str | None:
    """Return the ``kind`` that chooses this section, ``None`` for a section that none chooses."""
    field = section.model_fields.get("kind")
    chosen = field is not None and get_origin(field.annotation) is Literal
    return str(get_args(field.annotation)[0]) if field is not None and chosen else None


class OtherValue(ValueError):
    """Report a rule that a section breaks, with a value that would do for one of its keys.

    A section does not know where it stands: whoever does can name the whole key.
    """

    def __init__(self, message: str, key: str, value: str) -> None:
        super().__init__(message)
        self.key, self.value = key, value
