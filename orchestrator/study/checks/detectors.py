"""Check that the detectors of a study exist and can take the overrides that it gives them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from orchestrator.study.checks.context import Context
from orchestrator.study.inherit import absent, is_file
from orchestrator.study.location import KeyPath, Problem
from orchestrator.study.paths import is_unresolved
from orchestrator.study.schema import TrainedTeacher, ZooTeacher
from orchestrator.study.wording import did_you_mean
from trainers.schema.detector import Detector, Freeze, ZooWeights
from trainers.schema.overrides import block_depth_problem, depth_problem, freeze_problem, width_problem
from trainers.schema.pretrained import none_known, pretrained_weights
from trainers.schema.zoo import (
    OWN,
    PREFIX,
    ZooConfig,
    checkpoint_names,
    config_names,
    find_checkpoint,
    find_config,
    mmdet_version,
)


@dataclass(frozen=True, slots=True)
class Site:
    """Name a place in a study that gives a detector; ``starts_fresh`` when no checkpoint replaces its weights."""

    detector: Detector
    at: Callable[..., KeyPath]
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


def check_starts(context: Context) -> Iterator[Problem]:
    """Yield the problems of detectors that a training is to start from, as far as nothing has to be read for them."""
    for site in _sites(context):
        weights = site.detector.detector_weights
        if weights is None:
            continue
        if not site.starts_fresh:
            yield Problem(
                site.at("weights"), "has no effect: this teacher is not trained, its weights are given otherwise"
            )
        elif isinstance(weights, ZooWeights):
            yield from _check_zoo_start(site, weights)
        elif not is_unresolved(weights.path) and not is_file(Path(weights.path)):
            yield Problem(site.at("weights", "path"), absent(weights.path))


def _check_zoo_start(site: Site, weights: ZooWeights) -> Iterator[Problem]:
    """Yield a public checkpoint that is not known, or of a detector that is known to be another."""
    found = find_checkpoint(weights.name)
    if found is None:
        hint = did_you_mean(weights.name, checkpoint_names())
        yield Problem(site.at("weights", "name"), f"no public checkpoint of this name is known{hint}")
        return
    theirs, own = find_config(found.config), find_config(site.detector.config)
    if theirs is None or own is None:
        return  # what a config of the user's describes is for building to say
    here = replace(own, depth=site.detector.backbone_depth or own.depth)
    differing = [part for part in ("head", "backbone", "depth") if getattr(theirs, part) != getattr(here, part)]
    if differing:
        there, wanted = (", ".join(str(getattr(one, part)) for part in differing) for one in (theirs, here))
        message = f"is of another architecture: {', '.join(differing)} {there} there, {wanted} here"
        keys = (site.at("config"), site.at("backbone_depth"))
        yield Problem(site.at("weights", "name"), f"{message}; its config is {found.config}", rests_on=keys)
    for name, factor in (("width", site.detector.width), ("depth", site.detector.depth)):
        if factor != 1.0:
            yield Problem(
                site.at(name), f"must be 1.0: the public checkpoint {weights.name} has no other, got {factor}"
            )


def check_students(context: Context) -> Iterator[Problem]:
    """Yield students that nothing can train from boxes alone."""
    for variant in context.students:
        yield from check_trainable(find_config(variant.section.config), variant.origin("config"))


def check_trainable(config: ZooConfig | None, path: KeyPath) -> Iterator[Problem]:
    """Yield a problem when the detector is known and cannot be trained from boxes alone."""
    if config is not None and config.untrainable is not None:
        yield Problem(path, f"{config.detector} cannot be trained here: {config.untrainable}")


def _sites(context: Context) -> Iterator[Site]:
    for variant in context.students:
        yield Site(variant.section, variant.origin, starts_fresh=True)
    for teacher in context.teachers:
        if not isinstance(teacher.section, ZooTeacher):
            fresh = isinstance(teacher.section, TrainedTeacher)
            yield Site(teacher.section.detector, partial(teacher.origin, "detector"), fresh)


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
    if detector.freeze is not None and not detector.freeze.says_nothing:
        yield from _check_freeze(site, detector.freeze, config)
    if site.starts_fresh and detector.weights == "imagenet" and pretrained_weights(detector) is None:
        message = none_known(config.backbone, detector.backbone_depth or config.depth)
        yield Problem(site.at("weights"), message, rests_on=(site.at("backbone_depth"), site.at("width")))


def _check_freeze(site: Site, freeze: Freeze, config: ZooConfig) -> Iterator[Problem]:
    problem = freeze_problem(freeze, config.backbone)
    if problem is not None:
        yield Problem(site.at("freeze", problem[0]), problem[1])
