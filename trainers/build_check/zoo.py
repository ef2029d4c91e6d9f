"""Write ``configs/zoo/unproven.json``: ``python -m trainers.build_check.zoo`` builds every shipped detector, which takes minutes.

The file holds, with the reason, the detectors whose heads can be distilled and that could not be built and make a step.
"""

import json
import logging
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from trainers.build_check.check import problems_of
from trainers.schema import Detector
from trainers.schema.build import BuildUnit
from trainers.schema.heads import find_head
from trainers.schema.overrides import CSP_BACKBONES, DEPTHS, depth_problem
from trainers.schema.zoo import config_names, configs_dir, find_config

CLASSES = ("first", "second", "third")


def main() -> int:
    """Build all and write the failures."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    found = {name: reason for name in candidates() if (reason := why_not(name)) is not None}
    content = {"mmdet": version("mmdet"), "configs": found}
    (configs_dir() / "zoo" / "unproven.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{len(candidates())} detectors, {len(found)} could not be built")
    return 0


def candidates() -> list[str]:
    """Return the names of the shipped configs whose heads can be distilled."""
    return [name for name in config_names() if (config := find_config(name)) and find_head(config.head)]


def why_not(name: str) -> str | None:
    """Return why a detector, plain or with overrides, cannot be built, ``None`` when it can."""
    for detector in forms(name):
        for problem in problems_of(BuildUnit(key=name, student=detector), CLASSES):
            return problem.message
    return None


def forms(name: str) -> Iterator[Detector]:
    """Yield the detector as it is, and with overrides of each kind that its backbone can take."""
    config = find_config(name)
    assert config is not None
    changes: list[dict[str, Any]] = [{}]
    if config.backbone in DEPTHS:
        depths = [
            depth for depth in (18, 101) if depth_problem(depth, config.backbone, deformable=config.deformable) is None
        ]
        changes += [{"backbone_depth": depth, "width": 0.25} for depth in depths]
    elif config.backbone in CSP_BACKBONES:
        changes += [{"width": 0.5}, {"depth": 0.5}]
    yield from (Detector(config=name, weights="random", **change) for change in changes)


if __name__ == "__main__":
    sys.exit(main())
