"""A student with papers: exported, checked, tampered with, and trained again to the same bits."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.e2e.stillhouse import stillhouse
from trainers.schema.digest import file_digest

STUDY = """
name: papers
dataset: {kind: shapes, train_images: 8, val_images: 4, image_size: [64, 64]}
teacher:
  kind: train
  detector: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.25, weights: random}
  schedule: {epochs: 1, batch_size: 4, policy: {kind: constant}}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: bckd}
schedule: {epochs: 2, batch_size: 4, policy: {kind: constant}}
search: {baseline: false}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a study, and the export ``student`` of its trial."""
    folder = tmp_path_factory.mktemp("papers")
    (folder / "study.yaml").write_text(STUDY)
    store = ("--store", folder / "store")
    assert stillhouse("run", folder / "study.yaml", *store).code == 0
    assert stillhouse("export", folder / "study.yaml", *store, "--to", folder / "student").code == 0
    return folder


def test_a_student_is_trained_again_to_the_same_bits(folder: Path) -> None:
    done = stillhouse("verify", folder / "student", folder / "study.yaml", "--retrain", "--json")
    assert done.code == 0, done.err
    assert list(done.json) == ["files", "identity", "student", "study", "retrained"]
    assert "equal to the bit" in done.json["retrained"]["answer"]


@pytest.mark.slow
def test_the_exported_file_is_measured_not_believed(folder: Path) -> None:
    copied = Path(shutil.copytree(folder / "student", folder / "boasting"))
    checkpoint = torch.load(copied / "student.pth", weights_only=True)
    checkpoint["state_dict"]["bbox_head.gfl_cls.bias"] += 1e-6
    torch.save(checkpoint, copied / "student.pth")
    papers = json.loads((copied / "provenance.json").read_text())
    papers["files"]["student.pth"] = file_digest(copied / "student.pth")
    papers["metrics"]["coco/bbox_mAP"] = 0.9
    (copied / "provenance.json").write_text(json.dumps(papers))
    done = stillhouse("verify", copied, folder / "study.yaml", "--retrain", "--within", "1", "--json")
    assert done.code == 0, done.out
    answer = done.json["retrained"]["answer"]
    assert "first bbox_head.gfl_cls.bias; AP differs by 0.0, 1 allowed" in answer


def test_another_study_and_a_changed_byte_are_told(folder: Path) -> None:
    other = stillhouse("verify", folder / "student", folder / "study.yaml", "--set", "search.seeds=[3]", "--retrain")
    assert other.code == 1
    assert "seed: exported 0, here 3" in other.out
    assert "retrained" not in other.out
    content = bytearray((folder / "student" / "student.pth").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "student" / "student.pth").write_bytes(content)
    changed = stillhouse("verify", folder / "student")
    assert changed.code == 1
    assert "student.pth has changed" in changed.out


def test_what_cannot_be_asked_is_one_sentence(folder: Path) -> None:
    alone = stillhouse("verify", folder / "student", "--retrain")
    assert (alone.code, len(alone.err.splitlines())) == (2, 1)
    apart = stillhouse("verify", folder / "student", "--within", "3")
    assert (apart.code, "--retrain" in apart.err) == (2, True)
    nothing = stillhouse("verify", folder)
    assert nothing.code == 2
    assert "stillhouse export" in nothing.err
