"""Compare the box codings of heads: two heads of one class can encode the same box as different numbers."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from trainers.schema.heads import find_head

HEAD = "bbox_head."
SETTINGS = ("norm_on_bbox", "reg_max", "exp_on_reg", "anchor_type", "bbox_norm_type", "reg_denoms")
PLAIN = (bool, int, float, str, tuple, list)
CLIPPING = ("clip_border", "use_box_type")  # what a coder does to boxes that it has decoded
CENTERNESS = "conv_centerness"  # FCOS's, which reads one of two branches


@dataclass(frozen=True)
class Apart:
    """Name the tensors of a head, by the beginnings of their names, that mean something else in another; say why."""

    prefixes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def holds(self, key: str) -> bool:
        """Return whether a tensor is among them."""
        return key.startswith(self.prefixes) if self.prefixes else False


def apart(student: Any, teacher: Any) -> Apart:
    """Return the parts of the teacher's head whose outputs mean something else in the student's head."""
    own, theirs = coding(student), coding(teacher)
    differing = [key for key in {**own, **theirs} if own.get(key) != theirs.get(key)]
    prefixes, reasons = [], []
    if differing:
        prefixes += [HEAD + layer for head in (student, teacher) for layer in box_layers(head)]
        settings = "; ".join(f"{key}: {own.get(key)} here, {theirs.get(key)} in the teacher" for key in differing)
        reasons.append(f"the box predictor is not inherited, the heads code boxes differently ({settings})")
    branches = [getattr(head, "centerness_on_reg", None) for head in (student, teacher)]
    if branches[0] != branches[1]:
        prefixes.append(f"{HEAD}{CENTERNESS}.")
        reasons.append(
            f"centerness is not inherited, it reads different branches (centerness_on_reg: {branches[0]} here, "
            f"{branches[1]} in the teacher)"
        )
    return Apart(tuple(dict.fromkeys(prefixes)), tuple(reasons))


def coding(head: Any) -> dict[str, str]:
    """Return the settings that decide which box a head's outputs stand for, as text by name."""
    found = {"head": type(head).__name__}
    found |= {name: str(getattr(head, name)) for name in SETTINGS if hasattr(head, name)}
    if (coder := getattr(head, "bbox_coder", None)) is not None:
        found["bbox_coder"] = _coder(coder)
    if (priors := getattr(head, "prior_generator", None)) is not None:
        found["strides"] = str([tuple(stride) for stride in priors.strides])
        found["priors"] = _priors(priors, centres_only=found.get("bbox_coder", "").startswith("Distance"))
    return found


def box_layers(head: nn.Module) -> tuple[str, ...]:
    """Return the names, each with a dot behind, of a head's layers that predict boxes.

    Of a head that does not name them these are all of its layers.
    """
    spec = find_head(type(head).__name__)
    names = spec.box_layers if spec and spec.box_layers else tuple(name for name, _ in head.named_children())
    return tuple(f"{name}." for name in names)


def _coder(coder: Any) -> str:
    settings = {k: v for k, v in vars(coder).items() if k not in CLIPPING and isinstance(v, PLAIN)}
    return f"{type(coder).__name__} {settings}"


def _priors(priors: Any, *, centres_only: bool) -> str:
    """Return the priors of one place on each level: distances are taken from centres, deltas from whole anchors."""
    anchors = getattr(priors, "base_anchors", None)
    if anchors is None:
        return f"points at {getattr(priors, 'offset', None)}"
    return str([_numbers((level[:, :2] + level[:, 2:]) / 2 if centres_only else level) for level in anchors])


def _numbers(values: Tensor) -> list[list[float]]:
    return [[round(float(number), 3) for number in row] for row in values]
