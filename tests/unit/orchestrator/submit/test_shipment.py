"""What travels: one file that means the same as the study with its bases and changes, and local configs."""

import io
import zipfile

import pytest

from orchestrator.core.errors import UserError
from orchestrator.study.load import load_study
from orchestrator.submit.shipment import ship
from trainers.schema.zoo import configs_dir

BASE = """
name: plain
description: "Δ 🦆 \\"x\\" line\\nbreak \\u2028 \\U0001F986"
dataset: {kind: shapes}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", weights: random}
method: {kind: none}
schedule: {epochs: 4, lr: 1.0e-4, policy: {kind: constant}}
"""
STUDIES = sorted((configs_dir() / "studies").glob("*.yaml"))


def unpacked(shipment, folder):
    for name, content in shipment.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder / "study.yaml"


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_means_the_same_elsewhere(path, tmp_path, monkeypatch):
    monkeypatch.setenv("STILLHOUSE_DATA", "/somewhere")
    sets = ["search.seeds=[3, 4]"]
    assert load_study(unpacked(ship(path, sets), tmp_path)).study == load_study(path, sets).study


def test_bases_and_unusual_characters_are_in_the_one_file(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "own.yaml").write_text("base: base.yaml\nschedule: {epochs: 5}\n")
    shipment = ship(tmp_path / "own.yaml")
    assert set(shipment.files) == {"study.yaml"}
    (tmp_path / "there").mkdir()
    there = load_study(unpacked(shipment, tmp_path / "there")).study
    assert there == load_study(tmp_path / "own.yaml").study
    assert there.description == 'Δ 🦆 "x" line\nbreak \u2028 🦆'


def coco(tmp_path, root):
    (tmp_path / "study.yaml").write_text(BASE.replace("{kind: shapes}", f'{{kind: coco, root: "{root}"}}'))
    return tmp_path / "study.yaml"


@pytest.mark.parametrize("root", ["${CLUSTER_DATA}/coco", "/data/coco", "~/coco"])
def test_names_that_each_machine_resolves_itself_stay(root, tmp_path, monkeypatch):
    monkeypatch.delenv("CLUSTER_DATA", raising=False)
    assert f'"root": "{root}"'.encode() in ship(coco(tmp_path, root)).files["study.yaml"]


def test_a_relative_folder_of_data_becomes_the_place_that_it_means_here(tmp_path):
    assert f'"root": "{tmp_path}/coco"'.encode() in ship(coco(tmp_path, "./x/../coco")).files["study.yaml"]


def test_a_checkpoint_that_students_start_from_stays_where_it_is(tmp_path):
    (tmp_path / "coco.pth").write_bytes(b"PK")
    start = "weights: {kind: checkpoint, path: coco.pth}"
    alone = BASE.replace("weights: random", start)
    searched = [
        "student: [{weights: {kind: checkpoint, path: coco.pth}}]",
        "student.weights: [random, {kind: checkpoint, path: coco.pth}]",
    ]
    for text in (alone, *(f"{BASE}search: {{space: {{{space}}}}}\n" for space in searched)):
        (tmp_path / "study.yaml").write_text(text)
        shipment = ship(tmp_path / "study.yaml")
        assert set(shipment.files) == {"study.yaml"}
        assert f'"path": "{tmp_path}/coco.pth"'.encode() in shipment.files["study.yaml"]


def test_a_local_config_travels_with_its_content(tmp_path):
    (tmp_path / "own.py").write_text("model = dict()\n")
    (tmp_path / "study.yaml").write_text(BASE.replace("mmdet::gfl/gfl_r50_fpn_1x_coco.py", "own.py"))
    shipment = ship(tmp_path / "study.yaml")
    [name] = set(shipment.files) - {"study.yaml"}
    assert shipment.files[name] == b"model = dict()\n"
    assert f'"config": "{name}"'.encode() in shipment.files["study.yaml"]


def test_a_config_that_needs_others_is_refused(tmp_path):
    (tmp_path / "other.py").touch()
    (tmp_path / "study.yaml").write_text(BASE.replace("mmdet::gfl/gfl_r50_fpn_1x_coco.py", "own.py"))
    (tmp_path / "own.py").write_text("_base_ = ['other.py']\n")
    with pytest.raises(UserError, match=r"reads other files, .*other\.py"):
        ship(tmp_path / "study.yaml")
    (tmp_path / "own.py").write_text("_base_ = ['gone.py']\n")
    with pytest.raises(UserError, match=r"own\.py:1: .*no such file"):
        ship(tmp_path / "study.yaml")
    (tmp_path / "own.py").write_text("_base_ = []\nwidth = {{'$WIDTH:8'}}\n")
    with pytest.raises(UserError, match="WIDTH"):
        ship(tmp_path / "study.yaml")


def test_a_config_on_top_of_a_shipped_one_travels(tmp_path):
    text = "_base_ = 'mmdet::gfl/gfl_r50_fpn_1x_coco.py'\n"
    (tmp_path / "own.py").write_text(text)
    (tmp_path / "study.yaml").write_text(BASE.replace("mmdet::gfl/gfl_r50_fpn_1x_coco.py", "own.py"))
    assert text.encode() in ship(tmp_path / "study.yaml").files.values()


def test_the_same_study_makes_the_same_archive(tmp_path):
    (tmp_path / "study.yaml").write_text(BASE)
    first, second = ship(tmp_path / "study.yaml").archive(), ship(tmp_path / "study.yaml").archive()
    assert first == second
    assert zipfile.ZipFile(io.BytesIO(first)).namelist() == ["study.yaml"]
