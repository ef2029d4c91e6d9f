"""A message about a missing image names the place where it is, after a bounded look."""

import os
from pathlib import Path

import pytest

from trainers.schema import image_hints
from trainers.schema.image_hints import elsewhere

NOTHING = ""


def files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize(
    ("there", "hint"),
    [
        (["x/y/a.jpg", "x/b.jpg"], " (the folder 'x/y' has 'a.jpg')"),
        (["a.jpg"], " (the folder '.' has 'a.jpg')"),
        (["images/a.png", "x/a.jpg"], " (the folder has 'a.png')"),
        (["images/a.JPG"], " (the folder has 'a.JPG')"),
        (["x/a.png", "z/a.jpg"], " (the folder 'z' has 'a.jpg')"),
        (["x/a.png"], " (the folder 'x' has 'a.png')"),
        (["images/b.jpg", "x/a.txt"], NOTHING),
    ],
)
def test_the_place_of_a_missing_image_is_named(there: list[str], hint: str, tmp_path: Path) -> None:
    files(tmp_path, *there)
    assert elsewhere(str(tmp_path), f"{tmp_path}/images/a.jpg") == hint


def test_a_folder_that_is_a_link_is_looked_into(tmp_path: Path) -> None:
    files(tmp_path / "disk", "a.jpg")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "photos").symlink_to(tmp_path / "disk")
    assert "the folder 'photos' has" in elsewhere(str(tmp_path / "data"), str(tmp_path / "data/images/a.jpg"))


def test_a_link_that_goes_round_ends(tmp_path: Path) -> None:
    (tmp_path / "again").symlink_to(tmp_path)
    assert elsewhere(str(tmp_path), str(tmp_path / "images/a.jpg")) == NOTHING


def test_entries_and_folders_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path, *(f"many/{number}.txt" for number in range(50)), "other/deep/a.jpg", "other/b.jpg")
    path = str(tmp_path / "images/a.jpg")
    looked: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr("os.scandir", lambda folder: looked.append(folder) or scandir(folder))
    monkeypatch.setattr(image_hints, "MOST_ENTRIES", 20)
    assert elsewhere(str(tmp_path), path) == NOTHING
    assert "other" in elsewhere(str(tmp_path), str(tmp_path / "images/b.jpg"))  # its folder is known before
    monkeypatch.setattr(image_hints, "MOST_ENTRIES", 1000)
    assert "deep" in elsewhere(str(tmp_path), path)
    monkeypatch.setattr(image_hints, "MOST_FOLDERS", 2)
    looked.clear()
    assert elsewhere(str(tmp_path), path) == NOTHING
    assert len(looked) <= 2
