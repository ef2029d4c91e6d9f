"""Name the terms that a distillation method is a sum of: one section each, with its needs of both detectors."""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from trainers.schema.base import Section
from trainers.schema.plugins import by_kind, plugged_sections
from trainers.schema.timing import ALWAYS, Timed

Weight = Annotated[float, Field(ge=0.0, le=1000.0)]
Temperature = Annotated[float, Field(gt=0.0, le=1000.0)]
Levels = Annotated[int, Field(ge=1, le=10)]


Tap = Literal["after", "before"]
GROUP = "stillhouse.terms"
# The values that later keys stood for before they existed: trials of that value keep their identity.
EARLIER = {"tap": "before", **ALWAYS}


class TapPoint(NamedTuple):
    """Name a place in a head: its features after ``convs`` stacked convolutions, after or before their activation."""

    convs: int
    tap: Tap


class Need(StrEnum):
    """Name the outputs that a term may need from a detector; an adapter lists those that its detector gives."""

    LOGITS = "classification logits"
    BOXES = "decoded boxes"
    ASSIGNMENT = "anchor weights and normaliser"
    DISTRIBUTIONS = "box distributions"
    DELTAS = "raw deltas"
    PRIORS = "anchor boxes"
    MATCHING = "matching of given boxes"
    OBJECTNESS = "objectness"
    FEATURES = "pyramid features"
    HEAD_FEATURES = "intermediate head features"


class GradShare(Section):
    """Choose a weight that holds the term's share of the gradient at the student's pyramid features.

    The share is measured every ``every`` steps, and the weight follows the measurements' running means.
    """

    grad_share: float = Field(gt=0.0, lt=1.0)
    every: int = Field(50, ge=1, le=100_000)


TermWeight = Weight | GradShare


class TermSection(Timed):
    """Hold the keys of every term; class variables name its needs and its implementation.

    ``computed_by`` is an import string, ``module:Class``, of a ``trainers.distill.terms.base.Term`` that takes this
    section; only training loads it. A package adds a term by an entry point in the group
    ``stillhouse.terms`` that names its section. ``NEEDS`` are the outputs that the term needs from student and teacher
    alike, ``TEACHER_NEEDS`` those that it needs from the teacher only; ``connects`` says that it brings pyramids of
    different channels and levels together.
    """

    NEEDS: ClassVar[frozenset[Need]]
    TEACHER_NEEDS: ClassVar[frozenset[Need]] = frozenset()
    computed_by: ClassVar[str]
    connects: ClassVar[bool] = False
    kind: str
    weight: TermWeight

    @property
    def needs(self) -> frozenset[Need]:
        """Return the outputs that the term needs from student and teacher."""
        return self.NEEDS

    @property
    def teacher_needs(self) -> frozenset[Need]:
        """Return all outputs that the term needs from the teacher."""
        return self.needs | self.TEACHER_NEEDS

    @property
    def counts(self) -> bool:
        """Tell whether the term weighs more than nothing."""
        return isinstance(self.weight, GradShare) or self.weight > 0.0

    @property
    def scale(self) -> float:
        """Return the weight that the study gives; 1 where training chooses it."""
        return 1.0 if isinstance(self.weight, GradShare) else self.weight

    @property
    def most(self) -> float:
        """Return the highest weight that the term comes to; training may choose any."""
        return math.inf if isinstance(self.weight, GradShare) else self.weight

    @property
    def changes(self) -> bool:
        """Tell whether the weight changes in training, so that ``weight/<term>`` is recorded."""
        return isinstance(self.weight, GradShare) or self.timing != ALWAYS

    @property
    def by_anchors(self) -> bool:
        """Tell whether the term compares anchor by anchor, so that ``focus/<term>`` is recorded."""
        return not self.needs <= {Need.FEATURES}

    @property
    def point(self) -> TapPoint | None:
        """Return the place in both heads whose features the term reads, ``None`` for terms that read none."""
        return None


class BckdSwitches(TermSection):
    """Hold the switches that BCKD's two terms share.

    ``level_gate: has_positives`` drops a pyramid level without positives, as the authors' code does. ``normaliser:
    positives`` divides by the mean over workers of the number of positives, ``sum`` by nothing. ``score`` matters for
    heads with an objectness (YOLOX): ``joint`` takes the probability sigmoid(class) * sigmoid(objectness) as one
    logit, ``separate`` the class logits and the objectness as one class more, ``weighted`` the class logits, each
    anchor weighted by the teacher's objectness.
    """

    level_gate: Literal["has_positives", "none"] = "has_positives"
    normaliser: Literal["positives", "sum"] = "positives"
    score: Literal["joint", "separate", "weighted"] = "joint"

    def score_needs(self) -> frozenset[Need]:
        """Return the needs of the chosen score beyond the joint logits."""
        return frozenset() if self.score == "joint" else frozenset({Need.OBJECTNESS})


class BckdCls(BckdSwitches):
    """Distil classification as C independent binary problems an anchor (BCKD, ICCV 2023)."""

    NEEDS = frozenset({Need.LOGITS, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.bckd:BckdClsTerm"
    kind: Literal["bckd-cls"]
    weight: TermWeight = 1.0
    gamma: float = Field(1.0, ge=1.0, le=8.0)
    detach_weight: bool = False

    @property
    def needs(self) -> frozenset[Need]:
        """Return the outputs that the term needs from student and teacher."""
        return self.NEEDS | self.score_needs()


class BckdLoc(BckdSwitches):
    """Distil localization by IoU, weighted by the disagreement about the classes (BCKD, ICCV 2023)."""

    NEEDS = frozenset({Need.LOGITS, Need.BOXES, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.bckd:BckdLocTerm"
    kind: Literal["bckd-loc"]
    weight: TermWeight = 4.0
    iou: Literal["giou", "iou"] = "giou"

    @property
    def needs(self) -> frozenset[Need]:
        """Return the outputs that the term needs from student and teacher."""
        return self.NEEDS | self.score_needs()


class LdMain(TermSection):
    """Distil box distributions on positives (LD, CVPR 2022: Main LD)."""

    NEEDS = frozenset({Need.LOGITS, Need.DISTRIBUTIONS, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.ld:LdMainTerm"
    kind: Literal["ld-main"]
    weight: TermWeight = 0.25
    temperature: Temperature = 10.0


class LdVlr(TermSection):
    """Distil box distributions in the valuable localization region around objects (LD, CVPR 2022: VLR LD).

    ``overlap`` says how near an anchor is to an object: ``iof``, the intersection over the anchor's area less the
    centres' distance, which the authors' code calls DIoU; ``iou``: DIoU, as the paper has it.
    """

    NEEDS = frozenset({Need.DISTRIBUTIONS, Need.PRIORS, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.ld:LdVlrTerm"
    kind: Literal["ld-vlr"]
    weight: TermWeight = 0.25
    temperature: Temperature = 10.0
    overlap: Literal["iof", "iou"] = "iof"


class KdMain(TermSection):
    """Distil the softmax over classes on positives (LD, CVPR 2022: Main KD)."""

    NEEDS = frozenset({Need.LOGITS, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.ld:KdMainTerm"
    kind: Literal["kd-main"]
    weight: TermWeight = 10.0
    temperature: Temperature = 2.0


class PkdKeys(Section):
    """Hold the keys that PKD and its preset share."""

    weight: TermWeight = 10.0
    levels: Levels = 4


class Pkd(PkdKeys, TermSection):
    """Distil pyramid features by their Pearson correlation (PKD, NeurIPS 2022); ``levels`` counts from the finest."""

    NEEDS = frozenset({Need.FEATURES})
    computed_by = "trainers.distill.terms.pkd:PkdTerm"
    connects = True
    kind: Literal["pkd"]


class CwdKeys(Section):
    """Hold the keys that CWD and its preset share."""

    weight: TermWeight = 10.0
    temperature: Temperature = 1.0
    levels: Levels = 5


class Cwd(CwdKeys, TermSection):
    """Distil where each channel of the pyramid features is active (CWD, ICCV 2021)."""

    NEEDS = frozenset({Need.FEATURES})
    computed_by = "trainers.distill.terms.cwd:CwdTerm"
    connects = True
    kind: Literal["cwd"]


class MgdKeys(Section):
    """Hold the keys that MGD and its preset share."""

    weight: TermWeight = 2e-5
    mask_ratio: float = Field(0.65, ge=0.0, lt=1.0)
    levels: Levels = 5


class Mgd(MgdKeys, TermSection):
    """Let a small network make the teacher's pyramid features from a part of the student's (MGD, ECCV 2022).

    ``mask_ratio`` is the share of places that are hidden. Weight and ratio are the paper's for one-stage detectors; for
    two-stage ones it has 5e-7 and 0.45.
    """

    NEEDS = frozenset({Need.FEATURES})
    computed_by = "trainers.distill.terms.mgd:MgdTerm"
    connects = True
    kind: Literal["mgd"]


class FgdKeys(Section):
    """Hold the keys that FGD and its preset share."""

    weight: TermWeight = 1.0
    foreground: Weight = 1e-3
    background: Weight = 5e-4
    attention: Weight = 5e-4
    relation: Weight = 5e-6
    temperature: Temperature = 0.5
    levels: Levels = 5


class Fgd(FgdKeys, TermSection):
    """Distil pyramid features, weighed by objects and attention, and their context (FGD, CVPR 2022).

    ``foreground``, ``background``, ``attention`` and ``relation`` are the paper's alpha, beta, gamma and lambda for
    one-stage detectors; for two-stage ones it has 5e-5, 2.5e-5, 5e-5 and 5e-7.
    """

    NEEDS = frozenset({Need.FEATURES})
    computed_by = "trainers.distill.terms.fgd:FgdTerm"
    connects = True
    kind: Literal["fgd"]


class FeatureKeys(Section):
    """Hold the keys that the score-weighted feature term and its preset share."""

    weight: TermWeight = 6.0
    levels: Levels = 3


class Feature(FeatureKeys, TermSection):
    """Distil pyramid features through a projector, where the teacher's class scores are high."""

    NEEDS = frozenset({Need.FEATURES})
    TEACHER_NEEDS = frozenset({Need.LOGITS})
    computed_by = "trainers.distill.terms.feature:FeatureTerm"
    connects = True
    kind: Literal["feature"]


class GidResponse(TermSection):
    """Distil the responses of general instances (GID, CVPR 2021): anchors matched to where the two disagree most.

    ``gap`` says how the disagreement is measured: ``score`` by the anchors' highest scores (the public code), ``class``
    by the largest difference over classes (the paper).
    """

    NEEDS = frozenset({Need.LOGITS, Need.BOXES, Need.DELTAS, Need.MATCHING})
    computed_by = "trainers.distill.terms.gid:GidResponseTerm"
    kind: Literal["gid-response"]
    weight: TermWeight = 1.0
    cls_weight: Weight = 0.1
    box_weight: Weight = 1.0
    top_k: int = Field(10, ge=1, le=1000)
    iou: float = Field(0.3, gt=0.0, lt=1.0)
    min_side: float = Field(10.0, ge=0.0)
    gap: Literal["score", "class"] = "score"


class Crossing(TermSection):
    """Hold where CrossKD's two terms pass from the student's head to the teacher's.

    ``convs`` of the head's stacked convolutions are the student's own, the rest is the teacher's. Features get the
    teacher's statistics ``after`` the activation of the last of these, as in the authors' code (whose ReLU writes into
    the features that were kept before it), or ``before`` it, as the paper has it.
    """

    convs: int = Field(3, ge=1, le=16)
    tap: Tap = "after"

    @property
    def point(self) -> TapPoint:
        """Return the place in the student's and the teacher's head whose features are taken."""
        return TapPoint(self.convs, self.tap)


class CrossKdCls(Crossing):
    """Distil the classification that the teacher's head makes of the student's head features (CrossKD, CVPR 2024)."""

    NEEDS = frozenset({Need.LOGITS, Need.HEAD_FEATURES, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.crosskd:CrossKdClsTerm"
    kind: Literal["crosskd-cls"]
    weight: TermWeight = 1.0


class CrossKdBox(Crossing):
    """Distil the boxes that the teacher's head makes of the student's head features (CrossKD, CVPR 2024).

    Heads with box distributions are compared by KL divergence, others by the overlap ``iou`` of the decoded boxes
    (``log_iou``: -log IoU, as its authors do for FCOS).
    """

    NEEDS = frozenset({Need.LOGITS, Need.BOXES, Need.HEAD_FEATURES, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.crosskd:CrossKdBoxTerm"
    kind: Literal["crosskd-box"]
    weight: TermWeight = 4.0
    iou: Literal["giou", "iou", "log_iou"] = "giou"


BUILT_IN: tuple[type[TermSection], ...] = (
    BckdCls, BckdLoc, LdMain, LdVlr, KdMain, Pkd, Cwd, Mgd, Fgd, Feature, GidResponse, CrossKdCls, CrossKdBox,
)  # fmt: skip


def term_kinds() -> dict[str, type[TermSection]]:
    """Return the sections of all terms by kind: the built-in ones, then those of installed packages."""
    return by_kind(BUILT_IN, plugged_sections(GROUP, TermSection, _wrong_needs), GROUP)


def _wrong_needs(section: type[TermSection]) -> str | None:
    """Return the fault of a term whose needs are no set of needs."""
    return no_need("needs", (*section.NEEDS, *section.TEACHER_NEEDS))


def no_need(verb: str, given: Iterable[object]) -> str | None:
    """Return the fault of something that a package gives as needs, ``None`` when there is none."""
    wrong = [need for need in given if not isinstance(need, Need)]
    return f"{verb} {wrong[0]!r}, which is no member of Need: {', '.join(Need.__members__)}" if wrong else None


def term_name(term: TermSection) -> str:
    """Return a term's name in losses and metrics."""
    return term.kind.replace("-", "_")


def identity(term: TermSection) -> dict[str, Any]:
    """Return a term's settings as JSON, without those of ``EARLIER`` that every earlier release had."""
    content = term.model_dump(mode="json")
    return {key: value for key, value in content.items() if key not in EARLIER or EARLIER[key] != value}
