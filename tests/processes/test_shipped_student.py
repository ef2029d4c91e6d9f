"""An exported student detects and scores in mmdet's own programs as it did in its trial, without Stillhouse."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from orchestrator.reports.model_card import BUILD, DETECT, MEASURE
from tests.processes.shipped import (
    NAMES,
    SIZES,
    TOOLS,
    Found,
    Shipped,
    coco_content,
    detections,
    in_plain_mmdet,
    objects_near,
    ship,
    student_file,
    tool_metrics,
    voc_files,
    write_images,
    yolo_files,
)
from tests.unit.trainers.tiny import detector
from trainers.data.datasets import build_dataset
from trainers.data.loaders import evaluation_batches
from trainers.detectors.detector import build_empty
from trainers.schema import CocoDataset, CocoSplit, VocDataset, VocPart
from trainers.schema.dataset import FileDataset, YoloDataset, YoloPart

pytestmark = pytest.mark.long  # mmdet starts anew in each of its programs
IDS = {0: 30, 1: 4, 2: 17}
SIZE = (96, 96)
Writer = Callable[[Sequence[Found]], None]


def shipped(folder: Path, dataset: FileDataset, images: Path, write: Writer) -> Shipped:
    """Ship a student of a data set whose objects lie near its detections; the last image has none."""
    write_images(images)
    checkpoint, rng = student_file(folder / "start.pth"), np.random.default_rng(5)
    every_class = [(label, [2.0, 2.0, 9.0, 9.0]) for label in range(len(NAMES))]
    write([every_class for _ in SIZES])
    found = detections(dataset, checkpoint)
    objects = [objects_near(item, size, rng) for item, size in zip(found, SIZES, strict=True)]
    write([[*objects[0], *every_class], *objects[1:-1], []])  # the student may see a class nowhere
    return ship(dataset, checkpoint, folder)


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    """Ship with annotation ids from 0, another order of classes, ids with gaps, a crowd, and a quote in the folder."""
    folder = tmp_path_factory.mktemp("o'coco")
    data, split = folder / "data", CocoSplit(annotations="val.json", images="images")
    dataset = CocoDataset(kind="coco", root=str(data), train=split, val=split, classes=NAMES, image_size=SIZE)

    def write(objects: Sequence[Found]) -> None:
        paths = [data / "images" / f"{number}.jpg" for number in range(len(SIZES))]
        (data / "val.json").write_text(json.dumps(coco_content(paths, objects, IDS)))

    return shipped(folder, dataset, data / "images", write)


def test_tools_test_gives_the_recorded_ap_of_coco_data(coco: Shipped, tmp_path: Path) -> None:
    assert_recorded(coco, tool_metrics(coco, tmp_path), "coco/")


def test_tools_test_gives_the_recorded_ap_of_voc_data(tmp_path: Path) -> None:
    """Pascal VOC's metrics as well; a difficult object counts neither way."""
    part, data = VocPart(folder=".", set="val", images="photos"), tmp_path / "data"
    dataset = VocDataset(kind="voc", root=str(data), train=(part,), val=(part,), classes=NAMES, image_size=SIZE)
    of_voc = shipped(tmp_path, dataset, data / "photos", lambda objects: voc_files(data, objects))
    found = tool_metrics(of_voc, tmp_path / "run")
    assert_recorded(of_voc, found, "coco/")
    assert found["voc/mAP"] == pytest.approx(of_voc.metrics["voc/mAP"], abs=1e-6)
    for key in ("voc/AP50", "voc/AP75"):
        assert found[key] == round(of_voc.metrics[key], 3)


def test_tools_test_gives_the_recorded_ap_of_a_yolo_folder(tmp_path: Path) -> None:
    """Mmdet reads no YOLO labels and divides nothing: the export's own annotations say all."""
    dataset = YoloDataset(
        kind="yolo", root=str(tmp_path / "data"), train=YoloPart(images="."), val=YoloPart(images="."),
        classes=NAMES, image_size=SIZE, keep_ratio=False,
    )  # fmt: skip
    write: Writer = lambda objects: yolo_files(tmp_path / "data", objects)  # noqa: E731
    of_yolo = shipped(tmp_path, dataset, tmp_path / "data", write)
    assert_recorded(of_yolo, tool_metrics(of_yolo, tmp_path / "run"), "coco/")


def assert_recorded(one: Shipped, found: dict[str, float], family: str) -> None:
    """Compare mmdet's metrics, which it rounds to three digits, with those of the trial."""
    recorded = {key: value for key, value in one.metrics.items() if key.startswith(family)}
    assert 0.05 < recorded["coco/bbox_mAP"] < 0.95
    assert {key: found[key] for key in recorded} == {key: round(value, 3) for key, value in recorded.items()}


@pytest.mark.parametrize("snippet", [DETECT, BUILD], ids=["DetInferencer", "init_detector"])
def test_the_snippets_of_the_card_find_the_same_boxes(coco: Shipped, snippet: str, tmp_path: Path) -> None:
    shutil.copytree(coco.folder, tmp_path / "export")
    ask = 'print("@", json.dumps({k: found[k] if isinstance(found, dict) else found[k].tolist() for k in KEYS}))'
    keys = "KEYS = ('bboxes', 'scores', 'labels')"
    loop = [line.replace('"photo.jpg"', "photo") for line in snippet.splitlines()]
    body = "\n    ".join([*loop[3:], ask])
    script = f"import json, sys\n{keys}\n{chr(10).join(loop[:3])}\nfor photo in sys.argv[1:]:\n    {body}\n"
    (tmp_path / "script.py").write_text(script)
    photos = [Path(coco.root) / "images" / f"{number}.jpg" for number in range(len(SIZES))]
    out = in_plain_mmdet(tmp_path / "script.py", *photos, cwd=tmp_path / "export")
    theirs = [json.loads(line[1:]) for line in out.splitlines() if line.startswith("@")]
    ours = found_by_us(coco)
    assert len(theirs) == len(ours) == len(SIZES)
    for one, other in zip(theirs, ours, strict=True):
        assert_same(one, other)


def found_by_us(one: Shipped) -> list[Any]:
    """Return the detections in each validation image, by the way that evaluation goes."""
    student = build_empty(detector(), len(NAMES)).eval()
    student.load_state_dict(torch.load(one.directory / "best.pth", weights_only=True)["state_dict"])
    found = []
    for batch in evaluation_batches(build_dataset(one.spec.dataset, "val"), rank=0, world=1, batch_size=1):
        data = student.data_preprocessor(batch, False)
        with torch.no_grad():
            found += [s.pred_instances for s in student.predict(data["inputs"], data["data_samples"], rescale=True)]
    return found


def assert_same(theirs: dict[str, list[Any]], ours: Any) -> None:
    assert len(ours.scores) >= 20
    assert theirs["labels"] == ours.labels.tolist()
    torch.testing.assert_close(torch.tensor(theirs["scores"]), ours.scores, rtol=0, atol=1e-3)
    assert box_iou(torch.tensor(theirs["bboxes"]), ours.bboxes).diag().min() > 0.99


def test_the_card_names_the_command_that_was_run(coco: Shipped) -> None:
    """``tool_metrics`` runs these words."""
    assert MEASURE.split()[1:4] == ["tools/test.py", "config.py", "student.pth"]
    assert "test_dataloader.dataset.data_root=" in MEASURE


def roots(one: Shipped) -> tuple[str, ...]:
    """Return the options that say where the images lie, for scripts that read any split."""
    return ("--cfg-options", *(f"{part}_dataloader.dataset.data_root={one.root}" for part in ("test", "val", "train")))


@pytest.mark.slow
def test_mmdets_analysis_takes_the_export(coco: Shipped, tmp_path: Path) -> None:
    """Run the scripts that docs/commands.md lists on what tools/test.py has kept."""
    analysis, config, found = TOOLS / "analysis_tools", coco.folder / "config.py", tmp_path / "found.pkl"
    options = roots(coco)
    in_plain_mmdet(
        TOOLS / "test.py", config, coco.folder / "student.pth", "--out", found, "--show-dir", "drawn", *options,
        cwd=tmp_path / "test",
    )  # fmt: skip
    assert list((tmp_path / "test").rglob("drawn/*.jpg"))
    out = in_plain_mmdet(analysis / "eval_metric.py", config, found, *options, cwd=tmp_path)
    assert f"'coco/bbox_mAP': {round(coco.metrics['coco/bbox_mAP'], 3)}" in out
    in_plain_mmdet(analysis / "analyze_results.py", config, found, "bad", "--topk", 1, *options, cwd=tmp_path)
    assert list((tmp_path / "bad").rglob("*.jpg"))
    in_plain_mmdet(analysis / "confusion_matrix.py", config, found, "matrix", *options, cwd=tmp_path)
    assert list((tmp_path / "matrix").glob("*.png"))


@pytest.mark.slow
def test_mmdets_analysis_counts_operations(coco: Shipped, tmp_path: Path) -> None:
    script, config = TOOLS / "analysis_tools" / "get_flops.py", coco.folder / "config.py"
    assert "Flops:" in in_plain_mmdet(script, config, "--num-images", 1, *roots(coco), cwd=tmp_path)


@pytest.mark.slow
def test_mmdets_analysis_draws_the_objects(coco: Shipped, tmp_path: Path) -> None:
    script, config = TOOLS / "analysis_tools" / "browse_dataset.py", coco.folder / "config.py"
    training = f"train_dataloader.dataset.ann_file={coco.folder / 'val.json'}"
    in_plain_mmdet(script, config, "--output-dir", "seen", "--not-show", *roots(coco), training, cwd=tmp_path)
    assert len(list((tmp_path / "seen").iterdir())) == len(SIZES) - 1  # one has no objects
