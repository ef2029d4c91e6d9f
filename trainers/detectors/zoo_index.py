"""Write ``configs/zoo/configs.json``, the list of the detector configs that mmdet ships: ``python -m trainers.detectors.zoo_index``.

Reading the configs runs their code, which is why this happens once, at a developer's, and a study only reads the list.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

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
    head, backbone, neck = _part(model, "bbox_head"), _part(model, "backbone"), _part(model, "neck")
    row = {
        "path": name,
        "detector": _type_name(model),
        "head": _type_name(head),
        "num_classes": _number(head or _part(model.get("roi_head") or {}, "bbox_head"), "num_classes"),
        "backbone": _type_name(backbone),
        "depth": _number(backbone, "depth"),
        "deformable": any(backbone.get("stage_with_dcn") or ()) or None,
        "pretrained": _pretrained(backbone),
        "neck_channels": _number(neck, "out_channels"),
        "num_outs": _levels(neck),
        "stacked_convs": _number(head, "stacked_convs"),
        "feat_channels": _number(head, "feat_channels"),
        "coding": _coding(head),
    }
    return {key: value for key, value in row.items() if value is not None}


def render(mmdet: str, rows: list[dict[str, Any]]) -> str:
    """Return the file's text: one config a line, so that a new version of mmdet makes a readable diff."""
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    return f'{{"mmdet":{json.dumps(mmdet)},"configs":[\n{lines}\n]}}\n'


def _part(model: dict[str, Any], key: str) -> dict[str, Any]:
    """Return one part of a model; of a sequence (necks, cascaded heads) the last, which makes the output."""
    part = model.get(key)
    if isinstance(part, list | tuple):
        part = part[-1] if part else None
    return part if isinstance(part, dict) else {}


def _type_name(part: dict[str, Any]) -> str | None:
    """Return ``type`` as a name: configs in the new style give the class itself."""
    kind = part.get("type")
    return kind if kind is None or isinstance(kind, str) else kind.__name__


def _coding(head: dict[str, Any]) -> str | None:
    """Return a digest of the settings that define a head's outputs, for heads that students can have."""
    if _type_name(head) not in {spec.head for spec in BUILT_IN}:
        return None
    said = {key: head[key] for key in CODING if key in head and head[key] != CODING[key]}
    return hashlib.sha256(json.dumps([_type_name(head), _plain(said)], sort_keys=True).encode()).hexdigest()[:8]


def _plain(value: Any) -> Any:
    """Return settings as JSON: classes by their names, without a coder's treatment of decoded boxes."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "clip_border"}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.__name__ if isinstance(value, type) else value


def _number(part: dict[str, Any], key: str) -> int | None:
    value = part.get(key)
    return value if isinstance(value, int) else None


def _levels(neck: dict[str, Any]) -> int | None:
    """Return the number of a neck's outputs; necks that do not say it, such as YOLOX's, have one for each input."""
    inputs = neck.get("in_channels")
    return _number(neck, "num_outs") or (len(inputs) if isinstance(inputs, list | tuple) else None)


def _pretrained(backbone: dict[str, Any]) -> str | None:
    found = backbone.get("init_cfg")
    return found.get("checkpoint") if isinstance(found, dict) and found.get("type") == "Pretrained" else None


if __name__ == "__main__":
    sys.exit(main())
