"""Name the terms that a distillation method is a sum of: one section each, with its needs of both detectors."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from trainers.schema.base import Section
from trainers.schema.plugins import by_kind, plugged_sections

Weight = Annotated[float, Field(ge=0.0, le=1000.0)]
Temperature = Annotated[float, Field(gt=0.0, le=1000.0)]


Tap = Literal["after", "before"]
GROUP = "stillhouse.terms"
EARLIER = {"tap": "before"}  # what a key that came later stood for before: trials of that value keep their identity


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


class TermSection(Section):
    """Hold the keys of every term, ``kind`` and ``weight``; class variables name its needs and its implementation.

    ``computed_by`` is an import string, ``module:Class``, of a ``trainers.distill.terms.base.Term`` that takes this
    section; only training loads it. A package adds a term by an entry point in the group
    ``stillhouse.terms`` that names its section.
    """

    NEEDS: ClassVar[frozenset[Need]]
    computed_by: ClassVar[str]
    kind: str
    weight: Weight

    @property
    def needs(self) -> frozenset[Need]:
        """Return the outputs that the term needs from student and teacher."""
        return self.NEEDS

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
    weight: Weight = 1.0
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
    weight: Weight = 4.0
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
    weight: Weight = 0.25
    temperature: Temperature = 10.0


class LdVlr(TermSection):
    """Distil box distributions in the valuable localization region around objects (LD, CVPR 2022: VLR LD).

    ``overlap`` says how near an anchor is to an object: ``iof``, the intersection over the anchor's area less the
    centres' distance, which the authors' code calls DIoU; ``iou``: DIoU, as the paper has it.
    """

    NEEDS = frozenset({Need.DISTRIBUTIONS, Need.PRIORS, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.ld:LdVlrTerm"
    kind: Literal["ld-vlr"]
    weight: Weight = 0.25
    temperature: Temperature = 10.0
    overlap: Literal["iof", "iou"] = "iof"


class KdMain(TermSection):
    """Distil the softmax over classes on positives (LD, CVPR 2022: Main KD)."""

    NEEDS = frozenset({Need.LOGITS, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.ld:KdMainTerm"
    kind: Literal["kd-main"]
    weight: Weight = 10.0
    temperature: Temperature = 2.0


class Pkd(TermSection):
    """Distil pyramid features by their Pearson correlation (PKD, NeurIPS 2022); ``levels`` counts from the finest."""

    NEEDS = frozenset({Need.FEATURES})
    computed_by = "trainers.distill.terms.pkd:PkdTerm"
    kind: Literal["pkd"]
    weight: Weight = 10.0
    levels: int = Field(4, ge=1, le=10)


class GidResponse(TermSection):
    """Distil the responses of general instances (GID, CVPR 2021): anchors matched to where the two disagree most.

    ``gap`` says how the disagreement is measured: ``score`` by the anchors' highest scores (the public code), ``class``
    by the largest difference over classes (the paper).
    """

    NEEDS = frozenset({Need.LOGITS, Need.BOXES, Need.DELTAS, Need.MATCHING})
    computed_by = "trainers.distill.terms.gid:GidResponseTerm"
    kind: Literal["gid-response"]
    weight: Weight = 1.0
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
    weight: Weight = 1.0


class CrossKdBox(Crossing):
    """Distil the boxes that the teacher's head makes of the student's head features (CrossKD, CVPR 2024).

    Heads with box distributions are compared by KL divergence, others by the overlap ``iou`` of the decoded boxes
    (``log_iou``: -log IoU, as its authors do for FCOS).
    """

    NEEDS = frozenset({Need.LOGITS, Need.BOXES, Need.HEAD_FEATURES, Need.ASSIGNMENT})
    computed_by = "trainers.distill.terms.crosskd:CrossKdBoxTerm"
    kind: Literal["crosskd-box"]
    weight: Weight = 4.0
    iou: Literal["giou", "iou", "log_iou"] = "giou"


BUILT_IN: tuple[type[TermSection], ...] = (
    BckdCls, BckdLoc, LdMain, LdVlr, KdMain, Pkd, GidResponse, CrossKdCls, CrossKdBox,
)  # fmt: skip


def term_kinds() -> dict[str, type[TermSection]]:
    """Return the sections of all terms by kind: the built-in ones, then those of installed packages."""
    return by_kind(BUILT_IN, plugged_sections(GROUP, TermSection), GROUP)


def identity(term: TermSection) -> dict[str, Any]:
    """Return a term's settings as JSON, without those of ``EARLIER`` that every earlier release had."""
    return {key: value for key, value in term.model_dump(mode="json").items() if EARLIER.get(key) != value}
