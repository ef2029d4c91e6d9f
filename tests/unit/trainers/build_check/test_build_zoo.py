"""The list of shipped detectors that cannot be built says the truth about the mmdet that is installed."""

import json

import pytest

from trainers.build_check.zoo import candidates, why_not
from trainers.schema.zoo import configs_dir, is_proven, mmdet_version


def unproven() -> dict[str, str]:
    content = json.loads((configs_dir() / "zoo" / "unproven.json").read_text())
    assert content["mmdet"] == mmdet_version()
    found: dict[str, str] = content["configs"]
    return found


def test_only_detectors_whose_heads_can_be_distilled_are_proven() -> None:
    assert set(unproven()) <= set(candidates())
    assert is_proven("mmdet::gfl/gfl_r50_fpn_1x_coco.py")
    assert is_proven("stillhouse::gfl_r18_fpn.py")
    others = (*unproven(), "mmdet::paa/paa_r50_fpn_1x_coco.py", "mmdet::no_such.py", "/a/file.py")
    assert not any(map(is_proven, others))


@pytest.mark.parametrize("name", ["mmdet::dyhead/atss_r50_fpn_dyhead_1x_coco.py", "stillhouse::gfl_r18_fpn.py"])
def test_a_detector_is_unproven_because_it_cannot_be_built(name: str) -> None:
    assert why_not(name) == unproven().get(name)


@pytest.mark.slow
def test_every_other_shipped_detector_can_be_built() -> None:
    assert {name: reason for name in candidates() if (reason := why_not(name)) is not None} == unproven()
