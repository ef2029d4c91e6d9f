"""Write ``configs/zoo/configs.json``, the list of the detector configs that mmdet ships: ``python -m trainers.detectors.zoo_index``.

Reading the configs runs their code, which is why this happens once, at a developer's, and a study only reads the list.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trainers.schema.boxes_alone import part, type_name, untrainable
from trainers.schema.heads import BUILT_IN
from trainers.schema.zoo import configs_dir

# Settings of heads that decide what their outputs mean, each with its default (see ``trainers.formats.codings``).
CODING = {
    "norm_on_bbox": False,
    "centerness_on_reg": False,
    "reg_max": 16,
    "bbox_coder": None,
    "anchor_generator": None,
    "prior_generator": None,
    "strides": None,
    "exp_on_reg": False,
    "anchor_type": "anchor_free",
    "bbox_norm_type": "reg_denom",
}


def main() -> int:
    """Write the lists and say how long they are; return 1 when mmdet is not installed."""
    root = shipped_configs()
    if root is None:
        print("zoo_index: mmdet is not installed", file=sys.stderr)
        return 1
    _write(configs_dir() / "zoo" / "configs.json", root)
    _write(configs_dir() / "detectors" / "index.json", configs_dir() / "detectors")
    return 0


def _write(target: Path, root: Path) -> None:
    rows = list(describe_all(root))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(version("mmdet"), rows), encoding="utf-8")
    print(f"{target}: {len(rows)} configs")


def shipped_configs() -> Path | None:
    """Return the folder of mmdet's own configs without importing mmdet, which would want mmcv's compiled ops."""
    spec = find_spec("mmdet")
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / ".mim" / "configs"


def describe_all(root: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for every config below ``root`` that has a model, sorted by path; skip unreadable ones."""
    from mmengine.config import Config

    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        try:
            # Custom modules (mmpretrain's backbones) need not be installed for the config to be read.
            config = Config.fromfile(path, import_custom_modules=False)
        except (OSError, ImportError) as error:
            print(f"zoo_index: left out {name}: {error}", file=sys.stderr)
            continue
        if "model" in config:
            yield describe(name, config.model.to_dict())


def describe(name: str, model: dict[str, Any]) -> dict[str, Any]:
    """Return the row of one model; unspecified settings are left out."""
    head, backbone, neck = part(model, "bbox_head"), part(model, "backbone"), part(model, "neck")
    row = {
        "path": name,
        "detector": type_name(model),
        "head": type_name(head),
        "num_classes": _number(head or part(model.get("roi_head") or {}, "bbox_head"), "num_classes"),
        "backbone": type_name(backbone),
        "depth": _number(backbone, "depth"),
        "deformable": any(backbone.get("stage_with_dcn") or ()) or None,
        "pretrained": _pretrained(backbone),
        "neck_channels": _number(neck, "out_channels"),
        "num_outs": _levels(neck),
        "stacked_convs": _number(head, "stacked_convs"),
        "feat_channels": _number(head, "feat_channels"),
        "coding": _coding(head),
        "untrainable": untrainable(model),
    }
    return {key: value for key, value in row.items() if value is not None}


def render(mmdet: str, rows: list[dict[str, Any]]) -> str:
    """Return the file's text: one config a line, so that a new version of mmdet makes a readable diff."""
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return f'{{"mmdet":{json.dumps(mmdet)},"configs":[\n{lines}\n]}}\n'


def _coding(head: Mapping[str, Any]) -> str | None:
    """Return a digest of the settings that define a head's outputs, for heads that students can have."""
    if type_name(head) not in {spec.head for spec in BUILT_IN}:
        return None
    said = {key: head[key] for key in CODING if key in head and head[key] != CODING[key]}
    return hashlib.sha256(json.dumps([type_name(head), _plain(said)], sort_keys=True).encode()).hexdigest()[:8]


def _plain(value: Any) -> Any:
    """Return settings as JSON: classes by their names, without a coder's treatment of decoded boxes."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "clip_border"}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.__name__ if isinstance(value, type) else value


def _number(section: Mapping[str, Any], key: str) -> int | None:
    value = section.get(key)
    return value if isinstance(value, int) else None


def _levels(neck: Mapping[str, Any]) -> int | None:
    """Return the number of a neck's outputs; necks that do not say it, such as YOLOX's, have one for each input."""
    inputs = neck.get("in_channels")
    return _number(neck, "num_outs") or (len(inputs) if isinstance(inputs, list | tuple) else None)


def _pretrained(backbone: Mapping[str, Any]) -> str | None:
    found = backbone.get("init_cfg")
    return found.get("checkpoint") if isinstance(found, dict) and found.get("type") == "Pretrained" else None


if __name__ == "__main__":
    sys.exit(main())
