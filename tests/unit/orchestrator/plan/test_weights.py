"""A study says beforehand which files it will fetch, and trials of one config are one trial wherever it lies."""

import shutil
from pathlib import Path

import pytest

from orchestrator.plan.plan import Plan
from orchestrator.plan.weights import config_digest, needed_urls, with_random_weights
from tests.unit.orchestrator.planning import ids, plan_text
from tests.unit.orchestrator.study_text import TRAINED, VALID, findings_of, write
from trainers.schema import Detector, zoo
from trainers.schema.remote import cached

STUDENT = "student:\n  config: mmdet::gfl/gfl_r50_fpn_1x_coco.py\n  weights: random\n"
R18 = "stillhouse::gfl_r18_fpn.py"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))


def study(student: str, teacher: str = TRAINED) -> str:
    assert STUDENT in VALID
    return VALID.replace(STUDENT, f"student: {student}\n").replace(TRAINED, teacher)


def needed(plan: Plan) -> dict[str, str]:
    """Return what is to be fetched: file name -> key."""
    return {url.rsplit("/", 1)[1]: key for url, key in needed_urls(plan.study).items()}


@pytest.mark.parametrize(
    ("student", "file"),
    [
        (f"{{config: '{R18}'}}", "resnet18-f37072fd.pth"),
        ("{config: 'mmdet::gfl/gfl_r50_fpn_1x_coco.py', backbone_depth: 34}", "resnet34-b627a593.pth"),
        ("{config: 'stillhouse::gfl_mobilenetv2_fpn.py'}", "mobilenet_v2_batch256_imagenet-ff34753d.pth"),
        ("{config: 'mmdet::gfl/gfl_x101-32x4d_fpn_ms-2x_coco.py'}", "resnext101_32x4d-a5af3160.pth"),
    ],
)
def test_a_students_weights_are_needed_until_they_are_here(student: str, file: str, tmp_path: Path) -> None:
    plan = plan_text(tmp_path, study(student))
    assert needed(plan) == {file: "student.weights"}
    assert [finding.level for finding in plan.findings] == ["missing"]
    url = next(iter(needed_urls(plan.study)))
    cached(url).parent.mkdir(parents=True)
    cached(url).touch()
    assert needed(plan) == {}


def test_a_caffe_teacher_needs_caffe_weights(tmp_path: Path) -> None:
    detector = "{config: 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', backbone_depth: 101}"
    fcos = "{config: 'mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py', weights: random}"
    plan = plan_text(tmp_path, study(fcos, f"teacher:\n  kind: train\n  detector: {detector}\n"))
    assert needed(plan) == {"resnet101_caffe-3ad79236.pth": "teacher.detector.weights"}
    assert needed_urls(with_random_weights(plan.study)) == {}


def test_random_weights_need_nothing(tmp_path: Path) -> None:
    assert needed(plan_text(tmp_path, study(f"{{config: '{R18}', weights: random}}"))) == {}


def test_our_own_configs_need_no_trust(tmp_path: Path) -> None:
    assert findings_of(write(tmp_path, study(f"{{config: '{R18}', weights: random}}"))) == []


def test_our_own_configs_are_known_by_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = study(f"{{config: '{R18}', weights: random}}")
    before, digest = ids(plan_text(tmp_path, text)), config_digest(Detector(config=R18))
    shutil.copytree(zoo.configs_dir(), tmp_path / "orchestrator" / "_configs")
    monkeypatch.setattr(zoo, "__file__", str(tmp_path / "trainers" / "spec" / "zoo.py"))
    assert (ids(plan_text(tmp_path, text)), config_digest(Detector(config=R18))) == (before, digest)
    with (tmp_path / "orchestrator" / "_configs" / "detectors" / "gfl_r18_fpn.py").open("a") as config:
        config.write("model['bbox_head']['stacked_convs'] = 2\n")
    assert config_digest(Detector(config=R18)) != digest
    teacher = before[0]  # has a config of mmdet's
    assert set(ids(plan_text(tmp_path, text))) & set(before) == {teacher}


def test_a_study_with_an_own_config_is_the_same_from_every_folder(tmp_path: Path) -> None:
    text = study(f"{{config: '{R18}', weights: random}}")
    (tmp_path / "other").mkdir()
    assert ids(plan_text(tmp_path, text)) == ids(plan_text(tmp_path / "other", text))
