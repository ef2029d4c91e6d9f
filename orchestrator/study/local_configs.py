"""Report settings of local detector configs that have no effect, and why a config cannot be used."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.core.findings import Finding, Level
from orchestrator.study.expand import students_of, teachers_of
from orchestrator.study.schema import StudySpec, TrainedTeacher, ZooTeacher
from trainers.schema import Detector, class_count
from trainers.schema.config_files import ConfigLine, LocalConfig, read_config
from trainers.schema.config_values import Unknown
from trainers.schema.pretrained import find_pretrained, none_known

# Top-level keys of mmdet 2.x and 3.x configs in whose place a study has sections of its own.
SECTIONS = frozenset(
    (
        "data_preprocessor",
        "train_pipeline",
        "val_pipeline",
        "test_pipeline",
        "tta_pipeline",
        "tta_model",
        "train_dataset",
        "train_dataloader",
        "val_dataloader",
        "test_dataloader",
        "val_evaluator",
        "test_evaluator",
        "data",
        "evaluation",
        "metainfo",
        "optim_wrapper",
        "optimizer",
        "optimizer_config",
        "param_scheduler",
        "lr_config",
        "momentum_config",
        "train_cfg",
        "val_cfg",
        "test_cfg",
        "max_epochs",
        "max_iters",
        "total_epochs",
        "runner",
        "auto_scale_lr",
        "fp16",
        "workflow",
        "default_hooks",
        "custom_hooks",
        "checkpoint_config",
        "log_config",
        "log_processor",
        "log_level",
        "vis_backends",
        "visualizer",
        "env_cfg",
        "dist_params",
        "randomness",
        "find_unused_parameters",
        "launcher",
        "work_dir",
        "model_wrapper_cfg",
        "strategy",
    )
)
BY_THE_STUDY = "the study's own sections decide"
INSIDE_MODEL = {"train_cfg": ("assigner", "rpn", "rcnn"), "test_cfg": ("nms", "rpn", "rcnn", "score_thr")}


def config_findings(study: StudySpec) -> Iterator[Finding]:
    """Yield the findings on each local config, each once: errors first, then one note on unused settings."""
    seen: set[Path] = set()
    for detector, starts_fresh in _detectors(study):
        path = Path(detector.config)
        if "::" in detector.config or path in seen or not path.is_file():
            continue
        seen.add(path)
        config = read_config(path)
        problems = [Finding("error", str(line), message) for line, message in config.problems]
        yield from problems or _said(config, detector, class_count(study.dataset), starts_fresh=starts_fresh)


def _detectors(study: StudySpec) -> Iterator[tuple[Detector, bool]]:
    """Yield the study's detectors, and whether their weights are those that their configs and ``weights`` ask for."""
    yield from ((student, True) for student in students_of(study))
    for teacher in teachers_of(study):
        if not isinstance(teacher, ZooTeacher):
            yield teacher.detector, isinstance(teacher, TrainedTeacher)


def _said(config: LocalConfig, detector: Detector, classes: int, *, starts_fresh: bool) -> Iterator[Finding]:
    if starts_fresh:
        yield from _start(config)
        yield from _backbone(config, detector)
    yield from _misplaced(config)
    unused = [*_sections(config), *_inside(config, classes)]
    if unused:
        yield Finding(
            "note", str(_first(config, unused)), f"not used, {BY_THE_STUDY} instead: {_by_file(config, unused)}"
        )


def _first(config: LocalConfig, unused: list[tuple[str, str]]) -> ConfigLine:
    """Return the first line of the config itself that gives one of these keys, its first line where its bases do."""
    lines = [line for key, _ in unused if (line := config.line_of(*key.split("."))).path == config.path]
    return min(lines, key=lambda line: line.number, default=config.line_of())


def _by_file(config: LocalConfig, unused: list[tuple[str, str]]) -> str:
    """Return the keys that are not used, those of a base with the base's name."""
    files: dict[Path, list[str]] = {}
    for key, text in unused:
        files.setdefault(config.line_of(*key.split(".")).path, []).append(text)
    own = ", ".join(files.pop(config.path, []))
    others = [f"{', '.join(texts)} in {os.path.relpath(path, config.path.parent)}" for path, texts in files.items()]
    return "; ".join(filter(None, (own, *others)))


def _start(config: LocalConfig) -> Iterator[Finding]:
    """Yield weights that the whole detector would start from."""
    for key in ("load_from", "resume_from", "resume"):
        value = config.values.get(key)
        if value:
            message = f"training would not start from {_shown(value)}: delete {key} from the config"
            if key == "load_from":
                message += "; a study names the detector to start from: weights: {kind: checkpoint, path: ...}"
            yield _at(config, "error", (key,), message)
    model = _model(config)
    init = model.get("init_cfg")
    if _checkpoint(init) is not None:
        message = f"the detector would not start from {_shown(_checkpoint(init))}: delete model.init_cfg"
        yield _at(config, "error", ("model", "init_cfg"), message)
    if model.get("pretrained"):
        message = (
            "mmdet 3 has no model.pretrained: write backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=...))"
        )
        yield _at(config, "error", ("model", "pretrained"), message)


def _backbone(config: LocalConfig, detector: Detector) -> Iterator[Finding]:
    """Yield a checkpoint of the backbone's own that is none of the public ImageNet weights."""
    backbone = _model(config).get("backbone")
    name = _checkpoint(backbone.get("init_cfg")) if isinstance(backbone, dict) else None
    if not isinstance(backbone, dict) or not isinstance(name, str):
        return
    kind, depth = backbone.get("type"), backbone.get("depth")
    if find_pretrained(str(kind), depth if isinstance(depth, int) else None, name, detector.backbone_depth):
        return
    where = ("model", "backbone", "init_cfg", "checkpoint")
    if detector.weights != "imagenet":
        said = "random" if detector.weights == "random" else "those of a whole detector"
        yield _at(config, "warning", where, f"{_shown(name)} is not loaded: the study says weights: {said}")
    else:
        reason = none_known(str(kind), detector.backbone_depth or (depth if isinstance(depth, int) else None))
        yield _at(config, "error", where, f"{_shown(name)} would not be loaded: {reason}")


def _misplaced(config: LocalConfig) -> Iterator[Finding]:
    """Yield settings of the head that stand outside ``model``, as the first releases of mmdet had them."""
    for key in filter(lambda key: _is_misplaced(config, key), INSIDE_MODEL):
        yield _at(config, "error", (key,), f"mmdet 3 reads these settings as model.{key}: move them into model")


def _is_misplaced(config: LocalConfig, key: str) -> bool:
    """Return whether ``key`` holds settings of the head, and the user's files give the model none of that name.

    A shipped base has given the loop's settings under the same key, and the head's in the model.
    """
    value = config.values.get(key)
    if not isinstance(value, dict) or not any(sign in value for sign in INSIDE_MODEL.get(key, ())):
        return False
    return not _gives(config, ("model", key))


def _sections(config: LocalConfig) -> Iterator[tuple[str, str]]:
    """Yield the top-level keys that are not used, of those that the user's own files give."""
    for key in config.values:
        if (
            key in SECTIONS
            and _gives(config, (key,))
            and not _is_models(config, key)
            and not _is_misplaced(config, key)
        ):
            yield key, key
    scope = config.values.get("default_scope")
    if isinstance(scope, str) and scope != "mmdet" and not config.line_of("default_scope").shipped:
        yield "default_scope", f"default_scope ({_shown(scope)}: types are looked up in mmdet)"


def _gives(config: LocalConfig, path: tuple[str, ...]) -> bool:
    """Return whether a file of the user's gives a key."""
    return path in config.lines and not config.line_of(*path).shipped


def _is_models(config: LocalConfig, key: str) -> bool:
    """Return whether a top-level value only names a part of the model, as in ``data_preprocessor=...``."""
    value = config.values[key]
    return isinstance(value, dict) and bool(value) and _model(config).get(key) == value


def _inside(config: LocalConfig, classes: int) -> Iterator[tuple[str, str]]:
    """Yield the keys of ``model`` that the study replaces."""
    model = _model(config)
    for parent, key, why in (
        ("data_preprocessor", "batch_augments", "see dataset.batch_scales"),
        ("bbox_head", "num_classes", f"the dataset has {classes}"),
    ):
        section = model.get(parent)
        value = section.get(key) if isinstance(section, dict) else None
        path = ("model", parent, key)
        if value and not isinstance(value, Unknown) and value != classes and _gives(config, path):
            yield ".".join(path), f"{'.'.join(path)} ({why})"
    if isinstance(model.get("init_cfg"), dict) and _checkpoint(model["init_cfg"]) is None:
        yield "model.init_cfg", "model.init_cfg"


def _model(config: LocalConfig) -> dict[str, Any]:
    model = config.values.get("model")
    return model if isinstance(model, dict) else {}


def _checkpoint(init: Any) -> Any:
    """Return the checkpoint of an ``init_cfg``, ``None`` when it names none."""
    found = init[0] if isinstance(init, list) and init else init
    return found.get("checkpoint") if isinstance(found, dict) else None


def _shown(value: Any) -> str:
    return "a checkpoint" if isinstance(value, Unknown | bool) else str(value)


def _at(config: LocalConfig, level: Level, key: tuple[str, ...], message: str) -> Finding:
    return Finding(level, f"{config.line_of(*key)}: {'.'.join(key)}", message)
