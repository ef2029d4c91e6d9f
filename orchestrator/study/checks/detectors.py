"""Check that the detectors of a study exist and can take the overrides that it gives them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.study.checks.context import Context
from orchestrator.study.inherit import absent, is_file
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.paths import is_unresolved
from orchestrator.study.schema import TrainedTeacher, ZooTeacher
from orchestrator.study.wording import alternatives, did_you_mean
from trainers.schema.detector import Detector
from trainers.schema.heads import find_head, heads
from trainers.schema.overrides import block_depth_problem, depth_problem, width_problem
from trainers.schema.pretrained import none_known, pretrained_weights
from trainers.schema.zoo import OWN, PREFIX, ZooConfig, config_names, find_config, mmdet_version


@dataclass(frozen=True, slots=True)
class Site:
    """Name a place in a study that gives a detector; ``starts_fresh`` when no checkpoint replaces its weights."""

    detector: Detector
    at: Callable[[str], KeyPath]
    starts_fresh: bool


def check_detectors(context: Context) -> Iterator[Problem]:
    """Yield the problems of each detector by itself."""
    for site in _sites(context):
        name = site.detector.config
        if "::" not in name:
            yield from _check_file(site, trust=context.trust_python)
            continue
        known = find_config(name) if name.startswith((PREFIX, OWN)) else None
        if known is None:
            yield Problem(site.at("config"), _unknown(name))
        else:
            yield from _check_overrides(site, known)


def check_student_heads(context: Context) -> Iterator[Problem]:
    """Yield students whose head this release cannot train."""
    for variant in context.students:
        yield from check_head(find_config(variant.section.config), variant.origin("config"))


def check_head(config: ZooConfig | None, path: KeyPath) -> Iterator[Problem]:
    """Yield a problem when the head is known and not supported."""
    if config is not None and find_head(config.head) is None:
        head = config.head or f"the head of {config.detector}"
        yield Problem(path, f"{head} is not supported: this release distils {alternatives(heads())}")


def _sites(context: Context) -> Iterator[Site]:
    for variant in context.students:
        yield Site(variant.section, variant.origin, starts_fresh=True)
    teacher = context.study.teacher
    if teacher is not None and not isinstance(teacher, ZooTeacher):
        fresh = isinstance(teacher, TrainedTeacher)
        yield Site(teacher.detector, lambda field: ("teacher", "detector", field), fresh)


def _unknown(name: str) -> str:
    hint = did_you_mean(name, config_names())
    if name.startswith(OWN):
        return f"Stillhouse ships no such config{hint}"
    if not name.startswith(PREFIX):
        return f"unknown collection: {PREFIX}path names a config that mmdet ships, {OWN}path one of configs/detectors"
    return f"mmdet {mmdet_version()} has no such config{hint}"


def _check_file(site: Site, *, trust: bool) -> Iterator[Problem]:
    """Yield problems of a local config.

    Every format needs trust: building any config calls the object that its ``type`` names, and that may be any
    importable object.
    """
    path = site.detector.config
    if is_unresolved(path):
        return
    if not is_file(Path(path)):
        yield Problem(site.at("config"), f"{absent(path)}{_shipped_as(Path(path))}")
    elif not trust:
        yield Problem(site.at("config"), "a local detector config can run code: pass --trust-config if you trust it")


def _shipped_as(path: Path) -> str:
    """Point to the config of mmdet that has this file name."""
    shipped = [name for name in config_names() if name.endswith(f"/{path.name}")]
    return f" (did you mean {shipped[0]}?)" if shipped else ""


def _check_overrides(site: Site, config: ZooConfig) -> Iterator[Problem]:
    """Yield overrides that the backbone cannot take, and ImageNet weights that do not exist."""
    detector = site.detector
    if detector.backbone_depth is not None:
        problem = depth_problem(detector.backbone_depth, config.backbone, deformable=config.deformable)
        if problem is not None:
            yield Problem(site.at("backbone_depth"), problem)
            return
    if detector.depth != 1.0 and (problem := block_depth_problem(config.backbone)):
        yield Problem(site.at("depth"), problem)
    if detector.width != 1.0 and (problem := width_problem(config.backbone)):
        yield Problem(site.at("width"), problem)
    if site.starts_fresh and detector.weights == "imagenet" and pretrained_weights(detector) is None:
        message = none_known(config.backbone, detector.backbone_depth or config.depth)
        yield Problem(site.at("weights"), message, rests_on=(site.at("backbone_depth"), site.at("width")))
