"""Know the detector configs that mmdet ships and the public checkpoints, without importing mmdet.

Both lists are data files in ``configs/zoo``; ``python -m trainers.zoo_index`` writes the first one.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PREFIX = "mmdet::"


@dataclass(frozen=True, slots=True)
class ZooConfig:
    """Describe one config that mmdet ships, as far as a study has to know it before anything is built."""

    path: str
    detector: str
    head: str | None
    num_classes: int | None
    backbone: str | None
    depth: int | None
    neck_channels: int | None


@dataclass(frozen=True, slots=True)
class ZooCheckpoint:
    """Describe one public checkpoint: ``ap`` is the zoo's box AP in percent, ``sha256`` the hash's first 8 digits."""

    name: str
    config: str
    url: str
    ap: float
    sha256: str


def configs_dir() -> Path:
    """Return the folder ``configs``: beside the packages in a checkout, inside ``orchestrator`` in a wheel."""
    root = Path(__file__).resolve().parents[2]
    checkout = root / "configs"
    return checkout if (checkout / "zoo").is_dir() else root / "orchestrator" / "_configs"


def find_config(name: str) -> ZooConfig | None:
    """Return what is known of ``mmdet::path`` (the prefix may be left out), or ``None`` when mmdet has no such config."""
    row = _configs().get(name.removeprefix(PREFIX))
    return None if row is None else ZooConfig(**row)


def find_checkpoint(name: str) -> ZooCheckpoint | None:
    """Return the public checkpoint of this name, or ``None``."""
    row = _checkpoints().get(name)
    return None if row is None else ZooCheckpoint(name=name, **row)


def config_names() -> tuple[str, ...]:
    """Return the name ``mmdet::path`` of every config that mmdet ships."""
    return tuple(PREFIX + path for path in _configs())


def checkpoint_names() -> tuple[str, ...]:
    """Return the name of every public checkpoint that a study can use."""
    return tuple(_checkpoints())


def mmdet_version() -> str:
    """Return the version of mmdet whose configs are listed."""
    return str(_index()["mmdet"])


@cache
def _index() -> dict[str, Any]:
    index: dict[str, Any] = json.loads((configs_dir() / "zoo" / "configs.json").read_text(encoding="utf-8"))
    return index


@cache
def _configs() -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in _index()["configs"]}


@cache
def _checkpoints() -> dict[str, dict[str, Any]]:
    from ruamel.yaml import YAML  # 40 ms that only a study with a zoo teacher spends

    rows: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(configs_dir() / "zoo" / "checkpoints.yaml")
    return rows
