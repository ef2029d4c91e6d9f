"""List the detection heads that are described, and the outputs of each for distillation terms.

A head that is not described gives terms the pyramid features alone. Imports nothing heavy. A plug-in adds a head by an entry point in the group ``stillhouse.heads`` that names a
``HeadSpec``.
"""

from dataclasses import dataclass
from functools import cache

from trainers.schema.plugins import BrokenPlugin, plugged
from trainers.schema.terms import Need, no_need

GROUP = "stillhouse.heads"
DENSE = frozenset({Need.LOGITS, Need.BOXES, Need.ASSIGNMENT, Need.FEATURES})
ANCHORED = DENSE | {Need.PRIORS, Need.MATCHING, Need.HEAD_FEATURES}
OTHERS = "other detectors"


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """Describe one head: mmdet's class name, the detector's name for people, its adapter, and its outputs.

    ``adapter`` is an import string, ``module:Class``, of a ``trainers.distill.adapters.base.Adapter``; it is loaded
    only where something is trained. ``box_layers`` names the head's layers that predict boxes: students do not inherit
    them from a teacher that codes boxes differently (of a head that names none they then inherit nothing).
    ``classifier`` names the layer whose rows are classes: without it a checkpoint must have them in the dataset's order.
    ``losses`` are the names that its losses are recorded under, mmdet's without ``loss_``; of a head that names none
    nobody knows them before it is trained.
    """

    head: str
    detector: str
    adapter: str
    gives: frozenset[Need]
    box_layers: tuple[str, ...] = ()
    classifier: str | None = None
    losses: tuple[str, ...] = ()


BUILT_IN = (
    HeadSpec(
        "GFLHead",
        "GFL",
        "trainers.distill.adapters.gfl:GflAdapter",
        ANCHORED | {Need.DISTRIBUTIONS},
        ("gfl_reg", "scales"),
        "gfl_cls",
        ("cls", "bbox", "dfl"),
    ),
    HeadSpec(
        "ATSSHead",
        "ATSS",
        "trainers.distill.adapters.atss:AtssAdapter",
        ANCHORED | {Need.DELTAS},
        ("atss_reg", "scales"),
        "atss_cls",
        ("cls", "bbox", "centerness"),
    ),
    HeadSpec(
        "FCOSHead",
        "FCOS",
        "trainers.distill.adapters.fcos:FcosAdapter",
        DENSE | {Need.DELTAS, Need.MATCHING, Need.HEAD_FEATURES},
        ("conv_reg", "scales"),
        "conv_cls",
        ("cls", "bbox", "centerness"),
    ),
    HeadSpec(
        "RetinaHead",
        "RetinaNet",
        "trainers.distill.adapters.retinanet:RetinaNetAdapter",
        ANCHORED | {Need.DELTAS},
        ("retina_reg",),
        "retina_cls",
        ("cls", "bbox"),
    ),
    HeadSpec(
        "YOLOXHead",
        "YOLOX",
        "trainers.distill.adapters.yolox:YoloxAdapter",
        DENSE | {Need.OBJECTNESS},
        ("multi_level_conv_reg",),
        "multi_level_conv_cls",
        ("cls", "bbox", "obj", "l1"),
    ),
    HeadSpec(
        "RTMDetSepBNHead",
        "RTMDet",
        "trainers.distill.adapters.rtmdet:RtmdetAdapter",
        DENSE | {Need.DELTAS, Need.HEAD_FEATURES},
        ("rtm_reg",),
        "rtm_cls",
        ("cls", "bbox"),
    ),
    HeadSpec(
        "TOODHead",
        "TOOD",
        "trainers.distill.adapters.tood:ToodAdapter",
        DENSE | {Need.PRIORS},
        ("tood_reg", "scales", "reg_offset_module"),
        "tood_cls",
        ("cls", "bbox"),
    ),
    HeadSpec(
        "VFNetHead",
        "VFNet",
        "trainers.distill.adapters.vfnet:VfnetAdapter",
        DENSE | {Need.DELTAS, Need.MATCHING, Need.HEAD_FEATURES},
        ("vfnet_reg", "vfnet_reg_refine", "scales", "scales_refine"),
        "vfnet_cls",
        ("cls", "bbox", "bbox_rf"),
    ),
)


@cache
def heads() -> dict[str, HeadSpec]:
    """Return the heads that are described, by mmdet's class name: the built-in ones, then plug-ins'."""
    found: dict[str, HeadSpec] = {}
    for spec in (*BUILT_IN, *plugged(GROUP, HeadSpec)):
        fault = _fault(spec, found)
        if fault is not None:
            raise BrokenPlugin(f"the head {spec.head} of {spec.adapter} ({GROUP}) {fault}; mend or remove it")
        found[spec.head] = spec
    return found


def _fault(spec: HeadSpec, found: dict[str, HeadSpec]) -> str | None:
    """Return why a head cannot be added to those that were found."""
    if spec.head in found:
        return f"has an adapter already, {found[spec.head].adapter}"
    return no_need("gives", spec.gives)


def find_head(name: str | None) -> HeadSpec | None:
    """Return the spec of the head with this class name, ``None`` when it is not described."""
    return None if name is None else heads().get(name)


def other_head(name: str) -> HeadSpec:
    """Return the spec of a head that is not described: it gives pyramid features, and mmdet's own losses."""
    return HeadSpec(name, OTHERS, "trainers.distill.adapters.other:OtherAdapter", frozenset({Need.FEATURES}))


def head_spec(head: str | None, detector: str) -> HeadSpec:
    """Return the spec of a detector's head, by the class names of both; ``head`` is ``None`` for two-stage detectors."""
    return find_head(head) or other_head(head or detector)
