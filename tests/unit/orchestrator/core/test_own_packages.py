"""Processes that we start find our packages before those of the user's folder, and the user's own after them."""

import os
from pathlib import Path

from orchestrator.core.own_packages import own_environment, own_folder, search_path

ROOT = str(Path(__file__).parents[4])


def test_our_folder_stands_first_then_the_users_path_then_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"/a{os.pathsep}{os.pathsep}/b{os.pathsep}/a")
    assert str(own_folder()) == ROOT
    assert search_path() == [ROOT, "/a", "/b", str(tmp_path)]
    assert own_environment() == {**os.environ, "PYTHONPATH": os.pathsep.join([ROOT, "/a", "/b", str(tmp_path)])}


def test_each_folder_stands_once_and_a_deleted_working_directory_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", ROOT)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert search_path() == [ROOT]
    monkeypatch.delenv("PYTHONPATH")
    monkeypatch.chdir(ROOT)
    assert search_path() == [ROOT]
