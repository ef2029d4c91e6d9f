"""Small rules at their edges: moments of a schedule, names of lists and digests, wishes that are taken back, CPUs, class lists."""

import zipfile
from pathlib import Path

import pytest
from mmdet.datasets import CocoDataset, VOCDataset

from trainers.schema.class_names import COCO80, VOC20
from trainers.schema.cpu import cpu_name
from trainers.schema.dataset import require_images_digest, require_plain_name
from trainers.schema.fence import set_fence
from trainers.schema.pickled_objects import RefusedPickle
from trainers.schema.stop import clear_move, clear_stop, must_move, request_move, request_stop, stop_requested
from trainers.schema.timing import LONGEST, _is_moment
from trainers.schema.torch_archive import _require_stored


def test_class_lists_are_those_of_mmdet():
    assert CocoDataset.METAINFO["classes"] == COCO80
    assert VOCDataset.METAINFO["classes"] == VOC20


@pytest.mark.parametrize("value", [0, 1, LONGEST, 0.001, 0.999])
def test_a_moment_is_a_whole_epoch_or_a_share(value):
    assert _is_moment(value) == value


@pytest.mark.parametrize("value", [-1, LONGEST + 1, 0.0, 1.0, -0.5, 1.5])
def test_other_numbers_are_no_moment(value):
    with pytest.raises(ValueError, match=f"got {value}"):
        _is_moment(value)


@pytest.mark.parametrize(
    "text",
    [
        "img-0123456789a",
        "img-0123456789abc",
        "img-0123456789aG",
        "0123456789ab",
        "IMG-0123456789ab",
        "img-0123456789ab\n",
        "",
    ],
)
def test_a_digest_of_images_has_its_form(text):
    with pytest.raises(ValueError, match="must be a digest as `stillhouse plan` shows it"):
        require_images_digest(text)
    assert require_images_digest("img-0123456789ab") == "img-0123456789ab"


@pytest.mark.parametrize("text", ["a/b", "/a", "a\\b", "a/"])
def test_the_name_of_a_list_is_no_path(text):
    with pytest.raises(ValueError, match="must be the name of a list"):
        require_plain_name(text)
    assert require_plain_name("train.txt") == "train.txt"


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ("processor : 0\nmodel name\t:  Big   CPU @ 2 GHz \nmodel name : other\n", "Big CPU @ 2 GHz"),
        ("model name :\n", None), ("cpu : x\n", None), ("", None),
    ],
)  # fmt: skip
def test_a_cpu_is_named_as_the_system_does_or_by_its_architecture(listed, name, tmp_path, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    (tmp_path / "cpuinfo").write_text(listed)
    assert cpu_name(tmp_path / "cpuinfo") == (name or "riscv64")
    assert cpu_name(tmp_path / "absent") == "riscv64"


@pytest.mark.parametrize(
    ("leave", "is_there", "clear"), [(request_stop, stop_requested, clear_stop), (request_move, must_move, clear_move)]
)
def test_a_wish_is_left_seen_and_taken_back_as_often_as_one_likes(leave, is_there, clear, tmp_path):
    clear(tmp_path)
    assert not is_there(tmp_path)
    for _ in range(2):
        leave(tmp_path)
        assert is_there(tmp_path)
    clear(tmp_path)
    clear(tmp_path)
    assert not is_there(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wish_lies_where_only_the_holder_sees_it_and_one_of_a_user_counts_too(tmp_path):
    directory, fence = tmp_path / "trial", tmp_path / "lease"
    for folder in (directory, fence):
        folder.mkdir()
    set_fence(directory, fence)
    try:
        request_stop(directory)
        assert (list(directory.iterdir()), len(list(fence.iterdir()))) == ([], 1)
        (fence / "stop").rename(directory / "stop")
        assert stop_requested(directory)
        clear_stop(directory)
        assert not stop_requested(directory)
        fence.rmdir()
        request_stop(directory)  # another job has the trial: it ends here anyway
    finally:
        set_fence(directory, None)


@pytest.mark.parametrize(
    ("kinds", "room", "refused"), [("ss", 0, False), ("ss", -1, True), ("sd", 0, True), ("ds", 0, True), ("", 0, False)]
)
def test_an_archive_holds_stored_records_of_its_own_size_only(kinds, room, refused, tmp_path):
    path: Path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w") as archive:
        for number, kind in enumerate(kinds):
            archive.writestr(str(number), b"x" * 10, zipfile.ZIP_STORED if kind == "s" else zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path) as archive:
        if refused:
            with pytest.raises(RefusedPickle, match="compressed, or overlap"):
                _require_stored(archive, 10 * len(kinds) + room)
        else:
            _require_stored(archive, 10 * len(kinds) + room)
