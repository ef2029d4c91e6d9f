"""Give every section of a study the same strictness: frozen, typed, no unknown keys."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Hold one validated part of a study or a trial; immutable, and equal when its fields are equal."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
