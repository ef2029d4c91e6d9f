"""What breaks inside a worker ends in one sentence, and leaves nothing half-written."""

from pathlib import Path

import cv2

from tests.e2e.stillhouse import stillhouse
from tests.e2e.test_paper_setting import write_tiny_coco

STUDY = """
name: broken
dataset: {kind: coco, root: coco, image_size: [64, 64]}
student: {config: "mmdet::gfl/gfl_r50_fpn_1x_coco.py", backbone_depth: 18, width: 0.125, weights: random}
method: {kind: none}
schedule: {epochs: 1, batch_size: 4, policy: {kind: constant}}
"""


def destroy(path: Path) -> None:
    """Make an image a PNG file whose beginning and end are right, and whose pixels are not: a plan sees no more."""
    image = cv2.imread(str(path))
    content = bytearray(cv2.imencode(".png", image)[1].tobytes())
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    path.write_bytes(content)


def test_a_broken_image_fails_the_trial_with_its_name(tmp_path: Path) -> None:
    write_tiny_coco(tmp_path / "coco")
    broken = tmp_path / "coco" / "train2017" / "000000000002.jpg"
    destroy(broken)
    (tmp_path / "study.yaml").write_text(STUDY)
    answer = stillhouse("run", tmp_path / "study.yaml", "--store", tmp_path / "store", "--json")
    assert answer.code == 1
    assert "Traceback" not in answer.err
    [sentence] = [line for line in answer.err.splitlines() if line.startswith("failed:")]
    assert "is damaged" in sentence
    assert broken.name in sentence
    [trial] = answer.json["trials"]
    assert (trial["status"], trial["checkpoint"]) == ("failed", None)
    directory = tmp_path / "store" / "trials" / trial["id"]
    assert sorted(path.name for path in directory.iterdir()) == [
        "data.json",
        "error.txt",
        "events.jsonl",
        "images.json",
        "outcome.json",
    ]
