"""Turn BCKD's settings into weighted loss terms over a student's and a teacher's predictions."""

from collections.abc import Callable

from torch import Tensor

from trainers.distill.losses import classification_distillation, level_gate, localization_distillation
from trainers.distill.views import Anchors, Predictions
from trainers.spec import Bckd
from trainers.spec.method import Switches, resolve

Term = Callable[[Predictions, Predictions, Anchors], Tensor]


def terms(spec: Bckd) -> dict[str, Term]:
    """Return the terms that weigh more than nothing, by name; each returns its weighted scalar loss.

    A term of weight 0 is left out, not computed and multiplied: such a student trains bit for bit as ``none``.
    """
    switches = resolve(spec)
    found: dict[str, Term] = {}
    if spec.alpha1 > 0:
        found["bckd_cls"] = lambda s, t, a: spec.alpha1 * _classification(s, t, a, spec, switches)
    if spec.alpha2 > 0:
        found["bckd_loc"] = lambda s, t, a: spec.alpha2 * _localization(s, t, a, switches)
    return found


def _classification(
    student: Predictions, teacher: Predictions, anchors: Anchors, spec: Bckd, switches: Switches
) -> Tensor:
    return classification_distillation(
        student.logits_AC,
        teacher.logits_AC,
        _weight(anchors, switches),
        _normaliser(anchors, switches),
        gamma=spec.gamma,
        detach_weight=spec.detach_weight,
    )


def _localization(student: Predictions, teacher: Predictions, anchors: Anchors, switches: Switches) -> Tensor:
    return localization_distillation(
        student.boxes_A4,
        teacher.boxes_A4,
        student.logits_AC,
        teacher.logits_AC,
        _weight(anchors, switches),
        _normaliser(anchors, switches),
        iou=switches.iou,
    )


def _weight(anchors: Anchors, switches: Switches) -> Tensor:
    if switches.level_gate == "none":
        return anchors.weight_A
    return anchors.weight_A * level_gate(anchors.positive_A, anchors.level_A, anchors.num_levels)


def _normaliser(anchors: Anchors, switches: Switches) -> Tensor | None:
    return anchors.normaliser if switches.normaliser == "positives" else None
