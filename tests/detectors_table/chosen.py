"""Choose the config that stands for each folder of mmdet's configs: the first that trains from boxes alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainers.detectors.zoo_index import shipped_configs
from trainers.schema.overrides import CSP_BACKBONES, DEPTHS, depth_problem
from trainers.schema.zoo import PREFIX, ZooConfig, config_names, find_config

SHALLOW, NARROW, SHORT = 18, 0.25, 0.34  # layers of a ResNet; shares of channels and of blocks
PARTS = ("_base_", "common")  # folders of files that other configs are made of
# Detectors that take as many places of the pyramid as they have queries: more than a small image has.
QUERYING = ("DeformableDETR", "DINO", "DDQDETR")
FEW_QUERIES = {"num_queries": 40, "test_cfg": {"max_per_img": 40}}
# Changes of the models that no override makes small.
NARROW_MODELS: dict[str | None, dict[str, Any]] = {
    "HourglassNet": {
        "backbone": {"stage_channels": [32] * 6, "stage_blocks": [1] * 6, "feat_channel": 32},
        "bbox_head": {"in_channels": 32},
    }
}


@dataclass(frozen=True)
class Folder:
    """Name a folder, and the config that stands for it, or the reason why none does."""

    name: str
    config: ZooConfig | None
    reason: str | None = None


def folders() -> list[str]:
    """Return the folders of configs that the installed mmdet ships, without those of parts."""
    root = shipped_configs()
    assert root is not None, "mmdet is not installed"
    return sorted(path.name for path in root.iterdir() if _holds_configs(path))


def chosen() -> list[Folder]:
    """Return every folder with its config."""
    return [_choose(name) for name in folders()]


def unlike_first(found: list[Folder]) -> list[Folder]:
    """Return the folders that have a config, those whose detector and head are like no earlier one's before the others."""
    having = [folder for folder in found if folder.config is not None]
    first = {_kind(folder): folder for folder in reversed(having)}
    return sorted(having, key=lambda folder: first[_kind(folder)] is not folder)


def _kind(folder: Folder) -> tuple[str, str | None]:
    assert folder.config is not None
    return folder.config.detector, folder.config.head


def forms(config: ZooConfig) -> Iterator[dict[str, Any]]:
    """Yield overrides under which a detector is tried, small ones first; the last leave the config as it is."""
    if config.detector in QUERYING:
        yield {"backbone_depth": SHALLOW, "model": FEW_QUERIES}
    elif config.backbone in NARROW_MODELS:
        yield {"model": NARROW_MODELS[config.backbone]}
    elif config.backbone in CSP_BACKBONES:
        yield {"width": NARROW, "depth": SHORT}
    elif config.backbone in DEPTHS and config.neck_channels is not None:
        if depth_problem(SHALLOW, config.backbone, deformable=config.deformable) is None:
            yield {"backbone_depth": SHALLOW, "width": NARROW}
            yield {"backbone_depth": SHALLOW}
        else:
            yield {"width": NARROW}
    yield {}


def _holds_configs(path: Path) -> bool:
    return path.is_dir() and path.name not in PARTS and any(path.rglob("*.py"))


def _choose(folder: str) -> Folder:
    configs = list(_configs(folder))
    found = next((config for config in configs if config.untrainable is None), None)
    if found is not None:
        return Folder(folder, found)
    return Folder(folder, None, configs[0].untrainable)


def _configs(folder: str) -> Iterator[ZooConfig]:
    for name in config_names():
        config = find_config(name) if name.startswith(f"{PREFIX}{folder}/") else None
        if config is not None:
            yield config
