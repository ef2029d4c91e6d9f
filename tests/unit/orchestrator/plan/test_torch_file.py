import zipfile
from pathlib import Path

import pytest

from orchestrator.plan.torch_file import problem_with


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "teacher.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("archive/data/0", bytes(4096))
    return path


def test_whole_files_of_both_formats_pass(whole: Path, tmp_path: Path) -> None:
    legacy = tmp_path / "legacy.pth"
    legacy.write_bytes(b"\x80\x02}q\x00.")
    assert problem_with(whole) is None
    assert problem_with(legacy) is None


@pytest.mark.parametrize("kept", [1, 100, 4000])
def test_a_file_that_is_cut_short_is_named_so(whole: Path, kept: int) -> None:
    whole.write_bytes(whole.read_bytes()[:kept])
    assert problem_with(whole) == "is no torch checkpoint, or is cut short"


def test_empty_missing_and_foreign_files(tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.pth", tmp_path / "text.pth"
    empty.touch()
    text.write_text("<html>not found</html>")
    assert problem_with(empty) == "is empty"
    assert problem_with(text) == "is an HTML page, not a checkpoint: download the file itself"
    text.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert problem_with(text) == "is a Git LFS pointer, not a checkpoint: fetch the file itself with git lfs pull"
    text.write_text("404: not found")
    assert problem_with(text) == "is no torch checkpoint, or is cut short"
    assert problem_with(tmp_path / "none.pth") == "cannot be read: No such file or directory"
    assert problem_with(tmp_path) == "cannot be read: is a folder, not a file"
