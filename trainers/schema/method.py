"""Name distillation methods: presets of term sums, or any sum of terms written out."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from trainers.schema.base import Section
from trainers.schema.plugins import one_of
from trainers.schema.terms import (
    BckdCls,
    BckdLoc,
    CrossKdBox,
    CrossKdCls,
    Cwd,
    CwdKeys,
    Feature,
    FeatureKeys,
    Fgd,
    FgdKeys,
    GidResponse,
    GradShare,
    KdMain,
    LdMain,
    LdVlr,
    Levels,
    Mgd,
    MgdKeys,
    Pkd,
    PkdKeys,
    Tap,
    Temperature,
    TermSection,
    Weight,
    term_kinds,
)
from trainers.schema.timing import Timed

if TYPE_CHECKING:
    TermSpec = TermSection
else:  # installed packages may add some
    TermSpec = one_of(term_kinds().values())


class NoDistillation(Section):
    """Train the student alone: the baseline of every table."""

    kind: Literal["none"]


class Distillation(Section):
    """Hold the options of every method: ``inherit`` starts the student's neck and head from the teacher's."""

    inherit: bool = False


class Preset(Distillation, Timed):
    """Hold the keys of every preset that say when its terms act, all of them alike."""


class BckdOptions(Preset):
    """Choose BCKD's weights and switches; a switch left at null takes the value of ``variant``.

    ``official`` follows the authors' code, ``paper`` the printed formulas, ``algorithm-a1`` its algorithm listing
    taken literally. ``alpha1`` weighs the classification term, ``alpha2`` the localization term.
    """

    alpha1: Weight = 1.0
    alpha2: Weight = 4.0
    variant: Literal["official", "paper", "algorithm-a1"] = "official"
    gamma: float = Field(1.0, ge=1.0, le=8.0)
    detach_weight: bool = False
    iou: Literal["giou", "iou"] | None = None
    level_gate: Literal["has_positives", "none"] | None = None
    normaliser: Literal["positives", "sum"] | None = None
    score: Literal["joint", "separate", "weighted"] = "joint"


class Bckd(BckdOptions):
    """Distil with BCKD: binary classification and IoU-based localization distillation."""

    kind: Literal["bckd"]


class PkdBckd(BckdOptions):
    """Distil with PKD and BCKD together, at the weights of the paper's supplement (B.2)."""

    kind: Literal["pkd+bckd"]
    alpha1: Weight = 0.25
    alpha2: Weight = 2.0
    pkd_weight: Weight = 10.0
    levels: Levels = 4


class Ld(Preset):
    """Distil with LD: ``main`` is Main LD alone, ``full`` adds Main KD and VLR LD."""

    kind: Literal["ld"]
    variant: Literal["main", "full"] = "main"
    main_weight: Weight = 0.25
    vlr_weight: Weight = 0.25
    kd_weight: Weight = 10.0
    temperature: Temperature = 10.0
    kd_temperature: Temperature = 2.0


class PkdMethod(PkdKeys, Preset):
    """Distil with PKD: Pearson correlation of pyramid features."""

    kind: Literal["pkd"]


class CwdMethod(CwdKeys, Preset):
    """Distil with CWD: where each channel of the pyramid features is active."""

    kind: Literal["cwd"]


class MgdMethod(MgdKeys, Preset):
    """Distil with MGD: the teacher's pyramid features, made from a part of the student's."""

    kind: Literal["mgd"]


class FgdMethod(FgdKeys, Preset):
    """Distil with FGD: pyramid features weighed by objects and attention, and their context."""

    kind: Literal["fgd"]


class FeatureMethod(FeatureKeys, Preset):
    """Distil pyramid features through a projector, where the teacher's class scores are high."""

    kind: Literal["feature"]


class Gid(Preset):
    """Distil with the response-based part of GID."""

    kind: Literal["gid-response"]
    cls_weight: Weight = 0.1
    box_weight: Weight = 1.0
    top_k: int = Field(10, ge=1, le=1000)
    iou: float = Field(0.3, gt=0.0, lt=1.0)
    min_side: float = Field(10.0, ge=0.0)
    gap: Literal["score", "class"] = "score"


class CrossKd(Preset):
    """Distil with CrossKD as its authors' code does it; the weights are theirs for GFL. ``tap: before`` is the paper's."""

    kind: Literal["crosskd"]
    cls_weight: Weight = 1.0
    box_weight: Weight = 4.0
    convs: int = Field(3, ge=1, le=16)
    tap: Tap = "after"
    iou: Literal["giou", "iou", "log_iou"] = "giou"


class TermSum(Distillation):
    """Distil with any sum of terms, each kind at most once."""

    kind: Literal["terms"]
    terms: Annotated[tuple[TermSpec, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _kinds_are_distinct(self) -> "TermSum":
        kinds = [term.kind for term in self.terms]
        repeated = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if repeated:
            raise ValueError(f"term given twice: {', '.join(repeated)}")
        return self

    @model_validator(mode="after")
    def _shares_leave_something(self) -> "TermSum":
        held = sum(term.weight.grad_share for term in self.terms if isinstance(term.weight, GradShare))
        if held >= 1.0:
            raise ValueError(f"the terms hold shares of {held:g} together, which leaves nothing to the rest")
        return self


MethodSpec = Annotated[
    NoDistillation
    | Bckd
    | Ld
    | PkdMethod
    | PkdBckd
    | CwdMethod
    | MgdMethod
    | FgdMethod
    | FeatureMethod
    | Gid
    | CrossKd
    | TermSum,
    Field(discriminator="kind"),
]


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


def resolve(method: BckdOptions) -> Switches:
    """Return the switches in force: the variant's, unless the study sets one itself."""
    own = {name: value for name in Switches.model_fields if (value := getattr(method, name)) is not None}
    return VARIANTS[method.variant].model_copy(update=own)


def inherits(method: MethodSpec) -> bool:
    """Return whether the student's neck and head start from the teacher's weights."""
    return isinstance(method, Distillation) and method.inherit


# The term of each preset that is nothing but one term, with the term's own keys.
SINGLE: dict[str, Callable[..., TermSpec]] = {
    "pkd": Pkd,
    "cwd": Cwd,
    "mgd": Mgd,
    "fgd": Fgd,
    "feature": Feature,
    "gid-response": GidResponse,
}


def terms_of(method: MethodSpec) -> tuple[TermSection, ...]:
    """Return the terms that a method is the sum of; none for ``none``. Terms of weight 0 are among them."""
    match method:
        case NoDistillation():
            return ()
        case TermSum():
            return method.terms
        case PkdBckd():
            pkd = Pkd(kind="pkd", weight=method.pkd_weight, levels=method.levels, **method.timing)
            return (*_bckd(method), pkd)
        case Bckd():
            return _bckd(method)
        case Ld():
            return _ld(method)
        case PkdMethod() | CwdMethod() | MgdMethod() | FgdMethod() | FeatureMethod() | Gid():
            return (SINGLE[method.kind](**method.model_dump(exclude={"inherit"})),)
        case CrossKd():
            return _crosskd(method)


def _bckd(method: BckdOptions) -> tuple[TermSection, ...]:
    switches = resolve(method)
    cls = BckdCls(
        kind="bckd-cls",
        weight=method.alpha1,
        gamma=method.gamma,
        detach_weight=method.detach_weight,
        level_gate=switches.level_gate,
        normaliser=switches.normaliser,
        score=method.score,
        **method.timing,
    )
    loc = BckdLoc(
        kind="bckd-loc",
        weight=method.alpha2,
        iou=switches.iou,
        level_gate=switches.level_gate,
        normaliser=switches.normaliser,
        score=method.score,
        **method.timing,
    )
    return cls, loc


def _ld(method: Ld) -> tuple[TermSection, ...]:
    temperature, when = method.temperature, method.timing
    main = LdMain(kind="ld-main", weight=method.main_weight, temperature=temperature, **when)
    if method.variant == "main":
        return (main,)
    return (
        KdMain(kind="kd-main", weight=method.kd_weight, temperature=method.kd_temperature, **when),
        main,
        LdVlr(kind="ld-vlr", weight=method.vlr_weight, temperature=temperature, **when),
    )


def _crosskd(method: CrossKd) -> tuple[TermSection, ...]:
    where = {"convs": method.convs, "tap": method.tap, **method.timing}
    return (
        CrossKdCls(kind="crosskd-cls", weight=method.cls_weight, **where),
        CrossKdBox(kind="crosskd-box", weight=method.box_weight, iou=method.iou, **where),
    )
