import pytest

from dashboards.detectors import detector_label
from orchestrator.results.comparability import teacher_of


@pytest.mark.parametrize(
    ("config", "label"),
    [
        ("mmdet::gfl/gfl_r50_fpn_1x_coco.py", "GFL-R50"),
        ("mmdet::gfl/gfl_r101_fpn_ms-2x_coco.py", "GFL-R101"),
        ("mmdet::gfl/gfl_x101-32x4d-dconv-c4-c5_fpn_ms-2x_coco.py", "GFL-X101-DCN"),
        ("stillhouse::gfl_r18_fpn.py", "GFL-R18"),
        ("stillhouse::gfl_swint_fpn.py", "GFL-SwinT"),
        ("stillhouse::gfl_mobilenetv2_fpn.py", "GFL-MobileNetV2"),
        ("stillhouse::gfl_mobilenetv2_relu6_fpn.py", "GFL-MobileNetV2-ReLU6"),
        ("mmdet::atss/atss_r50_fpn_1x_coco.py", "ATSS-R50"),
        ("mmdet::retinanet/retinanet_r101_fpn_1x_coco.py", "Retina-R101"),
        ("mmdet::fcos/fcos_r50-caffe_fpn_gn-head_1x_coco.py", "FCOS-R50"),
        ("mmdet::yolox/yolox_tiny_8xb8-300e_coco.py", "YOLOX-tiny"),
        ("mmdet::yolox/yolox_s_8xb8-300e_coco.py", "YOLOX-s"),
        ("configs/mine/own_detector.py", "own_detector"),
        ("", ""),
    ],
)
def test_detectors_are_named_as_papers_name_them(config, label):
    assert detector_label({"student.config": config}, "student.") == label


def test_depth_and_width_change_the_name():
    params = {
        "student.config": "mmdet::gfl/gfl_r50_fpn_1x_coco.py",
        "student.backbone_depth": "18",
        "student.width": "0.25",
    }
    assert detector_label(params, "student.") == "GFL-R18 x0.25"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/store/trials/810392f0e391/best.pth", "810392f0e391"),
        ("https://host/v2.0/gfl/gfl_r101_2x.pth", "gfl_r101_2x.pth"),
        ("/store/trials/not-an-id/best.pth", "best.pth"),
    ],
)
def test_teacher_goes_by_its_trial_or_file(path, name):
    assert teacher_of({"teacher.weights.path": path}) == name


def test_teacher_without_weights_and_no_teacher():
    assert teacher_of({"teacher.detector.config": "mmdet::gfl/x.py"}) == "random weights"
    assert teacher_of({"student.config": "mmdet::gfl/x.py"}) == ""
