"""Prove that images are divided in the asked shares, in equal proportions of classes, and the same way everywhere."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainers.schema.annotations.divide import divide
from trainers.schema.annotations.records import Box, Image
from trainers.schema.division import Division


def image(name: str, *labels: int) -> Image:
    boxes = [Box(label, 0, 0, 9, 9, 81, False, key) for key, label in enumerate(labels)]
    return Image(name, f"/data/{name}", 64, 64, "", "", boxes, bool(labels))


def names(images: list[Image]) -> list[object]:
    return [image.id for image in images]


def test_every_class_is_shared_out_in_proportion() -> None:
    images = [image(f"{n}.jpg", *([0] * (n % 2 == 0) + [1] * (n % 10 == 0))) for n in range(200)]
    found = divide(images, Division(val=0.2, test=0.1), "/data")
    assert {split: len(part) for split, part in found.items()} == {"train": 140, "val": 40, "test": 20}
    for part, share in ((found["train"], 0.7), (found["val"], 0.2), (found["test"], 0.1)):
        held = Counter(label for item in part for label in {box.label for box in item.boxes})
        assert held[0] == pytest.approx(100 * share, abs=1)
        assert held[1] == pytest.approx(20 * share, abs=1)


def test_a_class_of_one_image_is_trained_on() -> None:
    images = [image(f"{n}.jpg", 0) for n in range(20)] + [image("rare.jpg", 1)]
    assert "rare.jpg" in names(divide(images, Division(), "/data")["train"])


def test_the_order_of_the_files_does_not_matter_and_the_seed_does() -> None:
    images = [image(f"{n}.jpg", n % 3) for n in range(60)]
    one = names(divide(images, Division(), "/data")["val"])
    other = names(divide(images[::-1], Division(), "/data")["val"])
    assert sorted(map(str, one)) == sorted(map(str, other))
    assert sorted(map(str, names(divide(images, Division(seed=1), "/data")["val"]))) != sorted(map(str, one))


@pytest.mark.parametrize(
    ("group", "of"),
    [("folder", lambda name: name.split("/")[0]), ({"before": "_f"}, lambda name: name.split("/")[1].split("_f")[0])],
)
def test_images_of_a_group_stay_together(group: object, of: object) -> None:
    images = [image(f"video{n % 12}/v{n % 12}_f{n}.jpg", n % 2) for n in range(120)]
    found = divide(images, Division.model_validate({"group": group}), "/data")
    groups = {split: {of(item.id) for item in part} for split, part in found.items()}  # type: ignore[operator]
    assert not groups["train"] & groups["val"]
    assert 12 <= len(found["val"]) <= 36


@given(
    st.lists(st.sets(st.integers(0, 4)), max_size=40),
    st.floats(0.05, 0.45),
    st.sampled_from([0.0, 0.1, 0.4]),
)
def test_each_image_comes_to_one_split_in_the_files_order(held: list[set[int]], val: float, test: float) -> None:
    images = [image(f"{n}.jpg", *labels) for n, labels in enumerate(held)]
    found = divide(images, Division(val=val, test=test), "/data")
    assert sorted(map(str, (name for part in found.values() for name in names(part)))) == sorted(
        map(str, names(images))
    )
    assert all(names(part) == [item.id for item in images if item in part] for part in found.values())
    assert test or not found["test"]


@pytest.mark.parametrize("shares", [{"val": 0.0}, {"val": 0.6, "test": 0.4}, {"val": -0.1}, {"val": 1.0}])
def test_shares_leave_something_to_train_on(shares: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Division.model_validate(shares)
