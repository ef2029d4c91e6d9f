"""Score odd data sets by the product and by an oracle that shares no code with it, and compare every number.

The product reads the files, loads the images and evaluates as in a trial; only the detector is a stand-in.
"""

import ast
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from tests.contract.scores import detections, odd_coco, odd_voc, plain_scores
from tests.contract.scores.odd_data import Odd, Truth, Written
from tests.contract.scores.pictures import brightness
from trainers.data.datasets import build_dataset
from trainers.evaluation.evaluate import evaluate
from trainers.schema.class_metrics import class_metric

ROWS = [*odd_coco.TABLE.rows, *odd_voc.TABLE.rows]
METRICS = {f"AP{part}": f"coco/bbox_mAP{'_' if part else ''}{part}" for part in ("", "50", "75", "s", "m", "l")}


@pytest.fixture(scope="module", autouse=True)
def nothing_old_is_collected() -> Iterator[None]:
    """Spare each data set the third of a second that its collection of garbage takes after mmdet's import."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module", params=ROWS, ids=str)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    odd: Odd = request.param
    return odd.make(tmp_path_factory.mktemp("data"))


class StandIn(torch.nn.Module):
    """Answer with given detections of each file, as rows of (x1, y1, x2, y2, score, label) in the image's pixels."""

    def __init__(self, found: dict[Path, list[Any]], truth: Truth) -> None:
        super().__init__()
        self.found = found
        self.shapes = {image["file"]: (image["height"], image["width"]) for image in truth["images"]}

    def data_preprocessor(self, batch: Any, _training: bool) -> Any:
        return batch

    def predict(self, inputs: Any, samples: Any, rescale: bool) -> Any:
        assert rescale
        for pixels, sample in zip(inputs, samples, strict=True):
            file = Path(sample.img_path).resolve()
            assert pixels.dtype == torch.uint8
            assert sample.ori_shape == self.shapes[file]
            rows = torch.tensor(self.found[file], dtype=torch.float32).reshape(-1, 6)
            sample.pred_instances = InstanceData(bboxes=rows[:, :4], scores=rows[:, 4], labels=rows[:, 5].long())
        return samples


def test_it_is_not_ours() -> None:
    source = Path(str(plain_scores.__file__)).read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 80
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {n.module or "" for n in imports if isinstance(n, ast.ImportFrom)}
    names |= {alias.name for n in imports if isinstance(n, ast.Import) for alias in n.names}
    roots = {name.split(".")[0] for name in names}
    assert roots <= {"json", "pathlib", "xml", "PIL", "pycocotools"}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called.isdisjoint({"__import__", "eval", "exec"})


def test_the_table_is_long_enough() -> None:
    assert len(ROWS) >= 40
    assert len({str(odd) for odd in ROWS}) == len(ROWS)


def test_scores_agree(written: Written) -> None:
    truth, limit = written.truths["val"], written.spec.max_detections
    data = build_dataset(written.spec, "val")
    for name, found in detections.kinds(truth).items():
        expected = plain_scores.scores(truth, detections.as_coco(found), limit)
        model = StandIn(detections.by_file(found, truth), truth)
        for evaluator in ("faster-coco-eval", "pycocotools"):
            metrics = evaluate(model, data, evaluator, max_detections=limit)
            assert metrics is not None
            assert _named(metrics, written) == pytest.approx(expected, abs=1e-9), (name, evaluator)


def test_training_sees_the_same_boxes(written: Written) -> None:
    expected = plain_scores.training_boxes(written.truths["train"], shortest=written.spec.min_side)
    data = build_dataset(written.spec, "train")
    seen = {Path(sample.img_path).resolve(): _boxes(sample) for sample in _samples(data)}
    assert len(seen) == len(data)
    assert seen.keys() == expected.keys()
    for file, boxes in expected.items():
        assert len(seen[file]) == len(boxes)
        assert np.array(seen[file]) == pytest.approx(np.array(boxes), abs=1e-3)


@pytest.mark.parametrize("odd", [odd for odd in ROWS if odd.painted], ids=str)
def test_boxes_lie_on_their_objects(odd: Odd, tmp_path: Path) -> None:
    written = odd.make(tmp_path)
    for split in ("train", "val"):
        data = build_dataset(written.spec, split)
        for item in (data[index] for index in range(len(data))):
            _assert_painted(item, written, split)


def _assert_painted(item: Any, written: Written, split: str) -> None:
    """Compare the middle of each box with its object's colour, or its grey."""
    sample, pixels = item["data_samples"], item["inputs"].numpy()[::-1]  # (3, height, width), red first
    truth, file = written.truths[split], Path(sample.img_path).resolve()
    (image,) = (one["id"] for one in truth["images"] if one["file"] == file)
    scale = np.array(sample.scale_factor)
    grey = (np.ptp(pixels, axis=0) <= 2).all()
    for box in (one for one in truth["annotations"] if one["image_id"] == image):
        x, y = ((np.array(box["bbox"][:2]) + np.array(box["bbox"][2:]) / 2) * scale).astype(int)
        painted = written.colours[truth["categories"][box["category_id"] - 1]["name"]]
        colour = brightness(painted) if grey else np.array(painted, float)
        assert pixels[:, y, x] == pytest.approx(colour, abs=12), (file.name, box["bbox"])


def _samples(data: Any) -> Iterator[Any]:
    return (data[index]["data_samples"] for index in range(len(data)))


def _boxes(sample: Any) -> list[tuple[float, ...]]:
    """Return (x1, y1, x2, y2, label, ignored) of a training sample, in the image's own pixels."""
    rows = []
    for crowd, instances in enumerate((sample.gt_instances, sample.ignored_instances)):
        corners = instances.bboxes.tensor.numpy() / np.tile(np.array(sample.scale_factor), 2)
        labels = instances.labels.tolist()
        rows += [(*map(float, box), label, crowd) for box, label in zip(corners, labels, strict=True)]
    return sorted(rows)


def _named(metrics: dict[str, float], written: Written) -> dict[str, float]:
    """Return the product's metrics under the oracle's names."""
    names = {ours: theirs for theirs, ours in METRICS.items()}
    names |= {class_metric(name): f"class {name}" for name in written.spec.classes}
    assert len(names) == len(METRICS) + len(written.spec.classes)
    return {names[key]: value for key, value in metrics.items() if not key.startswith("voc/")}
