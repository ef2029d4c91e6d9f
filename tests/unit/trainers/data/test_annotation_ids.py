"""Ids are the user's and change nothing: neither the boxes that are trained on nor any score."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.structures import InstanceData

from tests.examples import examples
from tests.unit.trainers.coco_content import CLASSES, Content, boxes, content, found_in, relabelled, write
from trainers.data.datasets import build_dataset
from trainers.errors import TrialError
from trainers.evaluation.evaluate import evaluate, ground_truth

EVALUATORS = pytest.mark.parametrize("evaluator", ["faster-coco-eval", "pycocotools"])
INTS = st.integers(-(2**70), 2**70)
IDS = st.one_of(INTS, st.text(min_size=1, max_size=5), st.integers(-(10**6), 10**6).map(float))
SLOW = settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Answers(torch.nn.Module):
    """Find in each image what it was told, whatever the image's id."""

    def __init__(self, data: Any) -> None:
        super().__init__()
        records = [data.get_data_info(index)["img_id"] for index in range(len(data))]
        self.answers = {records[index]: found for index, found in found_in(data)}

    def data_preprocessor(self, batch: Any, _training: bool) -> Any:
        return batch

    def predict(self, _inputs: Any, samples: Any, rescale: bool) -> Any:
        for sample in samples:
            found = self.answers[sample.img_id]
            sample.pred_instances = InstanceData(
                bboxes=torch.tensor([box for _, box, _ in found], dtype=torch.float32).reshape(-1, 4),
                labels=torch.tensor([label for label, *_ in found], dtype=torch.int64),
                scores=torch.tensor([score for *_, score in found], dtype=torch.float32),
            )
        return samples


@pytest.fixture(autouse=True)
def _no_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve records without reading images: the files are not there."""

    def batches(dataset: Any, rank: int, world: int) -> Any:
        for index in range(rank, len(dataset), world):
            yield {"inputs": None, "data_samples": [SimpleNamespace(img_id=dataset.get_data_info(index)["img_id"])]}

    monkeypatch.setattr("trainers.evaluation.evaluate.evaluation_batches", batches)
    monkeypatch.setattr("gc.collect", lambda: 0)  # mmengine's, a third of a second for each dataset


def scored(root: Path, found: Content, evaluator: str = "faster-coco-eval") -> dict[str, float]:
    data = build_dataset(write(root, found), "val")
    metrics = evaluate(Answers(data), data, evaluator)
    assert metrics is not None
    return metrics


@EVALUATORS
@pytest.mark.parametrize(
    "number",
    [
        lambda n: n - 1,
        lambda n: -n,
        lambda n: n + 2**62,
        lambda n: n + 2**64,
        float,
        lambda n: f"img/{n:04d}",
        lambda n: None,
    ],
    ids=["from 0", "below 0", "2^62", "2^64", "1.0", "text", "none"],
)
def test_annotation_ids_change_no_score(number: Any, evaluator: str, tmp_path: Path) -> None:
    plain = content()
    other = relabelled(plain, lambda n: n, number, lambda n: n)
    expected = scored(tmp_path / "plain", plain, evaluator)
    assert 0.1 < expected["coco/bbox_mAP"] < 0.9
    assert scored(tmp_path / "other", other, evaluator) == expected


@EVALUATORS
@pytest.mark.parametrize(
    "number",
    [lambda n: n + 2**62, lambda n: n + 2**64, float, lambda n: f"img/{n:04d}"],
    ids=["2^62", "2^64", "1.0", "text"],
)
def test_image_and_category_ids_change_no_score(number: Any, evaluator: str, tmp_path: Path) -> None:
    plain = content()
    other = relabelled(plain, number, lambda n: n, number)
    assert scored(tmp_path / "other", other, evaluator) == scored(tmp_path / "plain", plain, evaluator)


@SLOW
@given(data=st.data())
def test_ids_and_the_order_of_categories_never_change_boxes_or_scores(data: st.DataObject, tmp_path: Path) -> None:
    plain = content(data.draw(st.integers(0, 5)))
    names = {what: data.draw(_names(plain[what])) for what in ("images", "annotations", "categories")}
    other = relabelled(plain, *(names[what].__getitem__ for what in ("images", "annotations", "categories")))
    other["categories"] = data.draw(st.permutations(other["categories"]))
    for split in ("train", "val"):
        first, second = (build_dataset(write(tmp_path / split, found), split) for found in (plain, other))
        assert boxes(first) == boxes(second)
    first, second = (scored(tmp_path / "scored", found) for found in (plain, other))
    assert second == pytest.approx(first, abs=1e-12)


def _names(entries: list[Content]) -> Any:
    unique = st.lists(
        IDS, min_size=len(entries), max_size=len(entries), unique_by=lambda value: (isinstance(value, str), value)
    )
    return unique.map(lambda names: {entry["id"]: name for entry, name in zip(entries, names, strict=True)})


def test_labels_follow_the_studys_classes_in_each_file(tmp_path: Path) -> None:
    plain, other = content(), content()
    other["categories"].reverse()
    spec = write(tmp_path, plain, other)
    train, val = build_dataset(spec, "train"), build_dataset(spec, "val")
    assert train.metainfo["classes"] == val.metainfo["classes"] == CLASSES
    assert boxes(val) == boxes(build_dataset(write(tmp_path / "plain", plain), "val"))


@EVALUATORS
def test_each_class_has_its_own_ap_whatever_its_id(evaluator: str, tmp_path: Path) -> None:
    plain = content()
    falling = relabelled(plain, lambda n: n, lambda n: n, lambda n: 100 - n)  # in the file's order the ids fall
    first, second = scored(tmp_path / "a", plain, evaluator), scored(tmp_path / "b", falling, evaluator)
    classes = [first[f"class_AP/{name}"] for name in CLASSES]
    assert len(set(classes)) == len(CLASSES)
    assert classes == [second[f"class_AP/{name}"] for name in CLASSES]


def test_two_categories_with_one_name_are_one_class(tmp_path: Path) -> None:
    plain, twice = content(), content()
    twice["categories"].append({"id": 77, "name": "cat"})
    cats = [entry for entry in twice["annotations"] if entry["category_id"] == 1]
    for entry in cats[::2]:
        entry["category_id"] = 77
    assert boxes(build_dataset(write(tmp_path / "b", twice), "train")) == boxes(
        build_dataset(write(tmp_path / "a", plain), "train")
    )


def test_evaluation_numbers_everything_from_1(tmp_path: Path) -> None:
    other = relabelled(content(), lambda n: f"i{n}", lambda n: n - 1, lambda n: f"c{n}")
    truth = ground_truth(build_dataset(write(tmp_path, other), "val"))
    for what in ("images", "annotations", "categories"):
        assert [entry["id"] for entry in truth[what]] == list(range(1, len(truth[what]) + 1))


def test_records_and_errors_show_the_users_ids(tmp_path: Path) -> None:
    other = relabelled(content(), lambda n: f"bird/{n}", lambda n: f"a{n}", lambda n: n)
    assert build_dataset(write(tmp_path / "a", other), "val").get_data_info(2)["img_id"] == "bird/3"
    other["annotations"][3]["bbox"] = None
    with pytest.raises(TrialError, match=r"val\.json: annotation 'a4': has no bbox"):
        build_dataset(write(tmp_path / "b", other), "val")


@pytest.mark.parametrize("what", ["images", "annotations", "categories"])
def test_an_id_that_occurs_twice_is_one_sentence(what: str, tmp_path: Path) -> None:
    twice = content()
    twice[what].append({**twice[what][0]})
    with pytest.raises(TrialError, match="has the id of an earlier one") as caught:
        build_dataset(write(tmp_path, twice), "val")
    assert "\n" not in str(caught.value)
