"""Define how one set of annotated images becomes a training, a validation and a test split."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainers.schema.base import Section

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class BeforeText(Section):
    """Keep images together whose names, without their folders, are equal up to the first ``before``."""

    before: str = Field(min_length=1, max_length=100)


class Division(Section):
    """Divide images at random, by shares: every class comes to each split in the same proportion, as far as possible.

    The same ``seed``, names and boxes give the same splits on every machine. Images of one ``group`` go to one split:
    those of a folder, or of equal beginnings of their names, such as frames of one video.
    """

    val: Share = 0.2
    test: Share = 0.0
    seed: int = Field(0, ge=0)
    group: Literal["folder"] | BeforeText | None = None

    @model_validator(mode="after")
    def _something_is_left(self) -> "Division":
        if self.val == 0.0:
            raise ValueError("val is 0: a study is measured on it, give it a share such as 0.2")
        if self.val + self.test >= 1.0:
            raise ValueError(f"val {self.val:g} and test {self.test:g} leave nothing to train on")
        return self
