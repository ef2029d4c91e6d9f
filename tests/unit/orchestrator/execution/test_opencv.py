"""Two builds of OpenCV in one folder are told, with the command that repairs it."""

import sys
from pathlib import Path

import pytest

from orchestrator.execution.doctor import _opencv
from orchestrator.execution.opencv import REPAIR, is_opencv_fault, opencv_builds


def install(folder: Path, name: str, version: str) -> None:
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def test_one_build_is_fine(site: Path) -> None:
    install(site, "opencv-python-headless", "4.12.0")
    assert [(check.level, check.message) for check in _opencv()] == [("ok", "opencv-python-headless 4.12.0")]


def test_two_builds_are_told_with_the_remedy(site: Path) -> None:
    install(site, "opencv-python-headless", "4.12.0")
    install(site, "opencv-python", "4.11.0")
    assert opencv_builds() == ["opencv-python 4.11.0", "opencv-python-headless 4.12.0"]
    [check] = _opencv()
    assert check.level == "warn"
    assert "pip uninstall -y opencv-python " in check.message
    assert check.message.endswith("&& pip install opencv-python-headless")


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ("ImportError: libGL.so.1: cannot open shared object file: No such file or directory", True),
        ("ModuleNotFoundError: No module named 'cv2'", True),
        ("ModuleNotFoundError: No module named 'mmdet'", False),
    ],
)
def test_a_cv2_that_cannot_be_loaded_is_recognised(errors: str, told: bool) -> None:
    assert is_opencv_fault(errors) is told


def test_the_documented_command_is_the_one_that_doctor_names() -> None:
    page = (Path(__file__).parents[4] / "docs" / "python.md").read_text(encoding="utf-8")
    assert f"$ {REPAIR}\n" in page
