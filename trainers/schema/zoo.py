"""List the detector configs that mmdet and Stillhouse ship, and the public checkpoints, without importing mmdet.

The lists are data files below ``configs``; ``python -m trainers.detectors.zoo_index`` writes those of the configs, and
``python -m trainers.build_check.zoo`` the one of those that cannot be built.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from trainers.schema.foreign_json import parse_json
from trainers.schema.heads import BUILT_IN

PREFIX = "mmdet::"
OWN = "stillhouse::"  # a config of the folder ``configs/detectors``


@dataclass(frozen=True, slots=True)
class ZooConfig:
    """Describe one shipped config, as far as a study has to know it before anything is built.

    ``pretrained`` is the checkpoint that the config gives its backbone to start from; ``deformable`` says whether the
    backbone has deformable convolutions; ``num_outs`` is the number of pyramid levels, ``stacked_convs`` and
    ``feat_channels`` are the head's; ``coding`` is a digest of the settings that define the meaning of the head's
    outputs; ``untrainable`` says why no study can train the detector. ``None`` stands for unspecified values.
    """

    path: str
    detector: str
    head: str | None = None
    num_classes: int | None = None
    backbone: str | None = None
    depth: int | None = None
    deformable: bool = False
    pretrained: str | None = None
    neck_channels: int | None = None
    num_outs: int | None = None
    stacked_convs: int | None = None
    feat_channels: int | None = None
    coding: str | None = None
    untrainable: str | None = None


@dataclass(frozen=True, slots=True)
class ZooCheckpoint:
    """Describe one public checkpoint: ``ap`` is the zoo's box AP in percent, ``sha256`` the hash's first 8 digits.

    ``published`` are other figures printed for the same file, by who prints them.
    """

    name: str
    config: str
    url: str
    ap: float
    sha256: str
    published: Mapping[str, float] = field(default_factory=dict)


def configs_dir() -> Path:
    """Return the folder ``configs``: beside the packages in a checkout, inside ``orchestrator`` in a wheel."""
    root = Path(__file__).resolve().parents[2]
    checkout = root / "configs"
    return checkout if (checkout / "zoo").is_dir() else root / "orchestrator" / "_configs"


def find_config(name: str) -> ZooConfig | None:
    """Return the entry of ``mmdet::path`` or ``stillhouse::path``, or ``None`` when there is no such config.

    A name without a collection is taken for one of mmdet's.
    """
    rows = _own_configs() if name.startswith(OWN) else _configs()
    row = rows.get(name.removeprefix(OWN).removeprefix(PREFIX))
    return None if row is None else ZooConfig(**row)


def own_config(name: str) -> Path:
    """Return the file of ``stillhouse::path``; raise ``ValueError`` when the path leads out of the folder of configs."""
    folder = configs_dir() / "detectors"
    path = folder / name.removeprefix(OWN)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name} leads out of the detector configs that Stillhouse ships")
    return path


def find_checkpoint(name: str) -> ZooCheckpoint | None:
    """Return the public checkpoint of this name, or ``None``."""
    row = _checkpoints().get(name)
    return None if row is None else ZooCheckpoint(name=name, **row)


def config_names() -> tuple[str, ...]:
    """Return the name of every shipped config: ``mmdet::path`` and ``stillhouse::path``."""
    return (*(PREFIX + path for path in _configs()), *(OWN + path for path in _own_configs()))


def checkpoint_names() -> tuple[str, ...]:
    """Return the name of every public checkpoint that a study can use."""
    return tuple(_checkpoints())


def is_proven(name: str) -> bool:
    """Return whether a shipped detector could be built and trained, with any overrides, when the lists were made.

    Says so only of the built-in heads that can be distilled; the others were not tried.
    """
    config = find_config(name)
    return config is not None and config.head in {spec.head for spec in BUILT_IN} and name not in _unproven()


def mmdet_version() -> str:
    """Return the version of mmdet whose configs are listed."""
    return str(_index()["mmdet"])


@cache
def _index() -> dict[str, Any]:
    index: dict[str, Any] = parse_json((configs_dir() / "zoo" / "configs.json").read_text(encoding="utf-8"))
    return index


@cache
def _unproven() -> dict[str, str]:
    content = parse_json((configs_dir() / "zoo" / "unproven.json").read_text(encoding="utf-8"))
    found: dict[str, str] = content["configs"]
    return found


@cache
def _configs() -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in _index()["configs"]}


@cache
def _own_configs() -> dict[str, dict[str, Any]]:
    text = (configs_dir() / "detectors" / "index.json").read_text(encoding="utf-8")
    return {row["path"]: row for row in parse_json(text)["configs"]}


@cache
def _checkpoints() -> dict[str, dict[str, Any]]:
    from ruamel.yaml import YAML  # 40 ms that only a study with a zoo teacher spends

    rows: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(configs_dir() / "zoo" / "checkpoints.yaml")
    return rows
