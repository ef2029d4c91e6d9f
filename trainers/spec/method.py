"""Name a distillation method and its switches."""

from typing import Annotated, Literal

from pydantic import Field

from trainers.spec.base import Section

Weight = Annotated[float, Field(ge=0.0, le=1000.0)]


class NoDistillation(Section):
    """Train the student alone: the baseline of every table."""

    kind: Literal["none"]


class Bckd(Section):
    """Choose BCKD's weights and switches; a switch left at null takes the value of ``variant``.

    ``official`` is what the authors' code does, ``paper`` what the paper prints, ``algorithm-a1`` its algorithm listing
    taken literally. ``alpha1`` weighs the classification term, ``alpha2`` the localization term.
    """

    kind: Literal["bckd"]
    alpha1: Weight = 1.0
    alpha2: Weight = 4.0
    variant: Literal["official", "paper", "algorithm-a1"] = "official"
    gamma: float = Field(1.0, ge=1.0, le=8.0)
    detach_weight: bool = False
    iou: Literal["giou", "iou"] | None = None
    level_gate: Literal["has_positives", "none"] | None = None
    normaliser: Literal["positives", "sum"] | None = None


MethodSpec = Annotated[NoDistillation | Bckd, Field(discriminator="kind")]


class Switches(Section):
    """Hold BCKD's switches after ``variant`` has filled the ones left at null."""

    iou: Literal["giou", "iou"]
    level_gate: Literal["has_positives", "none"]
    normaliser: Literal["positives", "sum"]


VARIANTS = {
    "official": Switches(iou="giou", level_gate="has_positives", normaliser="positives"),
    "paper": Switches(iou="iou", level_gate="none", normaliser="positives"),
    "algorithm-a1": Switches(iou="iou", level_gate="none", normaliser="sum"),
}


def resolve(method: Bckd) -> Switches:
    """Return the switches in force: the variant's, unless the study sets one itself."""
    own = {name: value for name in Switches.model_fields if (value := getattr(method, name)) is not None}
    return VARIANTS[method.variant].model_copy(update=own)
