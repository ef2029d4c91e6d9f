"""Class names that no box has are found before training, once, with the name that was probably meant."""

import pytest

from orchestrator.dataset_check.class_names import Names, other_spellings, told_of, unknown_classes
from trainers.schema import CocoDataset, VocDataset
from trainers.schema.class_names import COCO80


def coco(*classes: str) -> CocoDataset:
    return CocoDataset(kind="coco", root="x", classes=classes)


def names(dataset: CocoDataset | VocDataset, declared: bool = True, **counts: int) -> Names:
    """Return the names in a split with this many boxes of each."""
    called = {name: counts.get(name, 0) for name in dataset.classes}
    others = {name: count for name, count in counts.items() if name not in called}
    return Names(called, others, frozenset(counts) if declared else None)


def messages(dataset: CocoDataset | VocDataset, train: Names, val: Names) -> list[str]:
    return [found.message for found in unknown_classes(dataset, {"train": train, "val": val})]


def test_a_misspelt_class_is_told_once_with_what_is_meant() -> None:
    dataset = coco("zebbra", "dog")
    found = unknown_classes(
        dataset, {"train": names(dataset, zebra=150, dog=9), "val": names(dataset, zebra=24, dog=2)}
    )
    assert [item.message for item in found] == ["no box is called zebbra; the files have zebra (174): did you mean it?"]
    assert told_of(found, "train") == told_of(found, "val") == {"zebbra"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("rbc", "RBC"),
        ("traffic_light", "Traffic-Light"),
        ("bolts", "bolt"),
    ],
)
def test_other_spellings_are_recognised(written: str, meant: str) -> None:
    dataset = coco(written)
    counts = {meant: 3, "something else": 90}
    assert messages(dataset, names(dataset, **counts), names(dataset, **counts)) == [
        f"no box is called {written}; the files have {meant} (6): did you mean it?"
    ]


@pytest.mark.parametrize(
    ("written", "meant", "points"), [("cafe\u0301", "café", "U+00E9"), ("a x", "a\u00a0x", "U+00A0")]
)
def test_names_that_look_the_same_are_told_apart_by_code_points(written: str, meant: str, points: str) -> None:
    dataset = coco(written)
    split = names(dataset, **{meant: 3})
    [message] = messages(dataset, split, split)
    assert message.endswith(f"(6, written with {points}): did you mean it?")


def test_spaces_around_a_name_are_seen() -> None:
    dataset = coco("bolt ", "nut")
    split = names(dataset, bolt=3, nut=1)
    assert messages(dataset, split, split) == ["no box is called 'bolt '; the files have bolt (6): did you mean it?"]
    dataset = coco("bolt", "nut")
    split = names(dataset, **{" bolt": 3, "nut": 1})
    assert messages(dataset, split, split) == ["no box is called bolt; the files have ' bolt' (6): did you mean it?"]


def test_classes_that_resemble_nothing_share_one_message() -> None:
    dataset = coco(*"abcde")
    split = names(dataset, a=1, screw=4, washer=7)
    assert messages(dataset, split, split) == [
        "no box is called b, c, d or 1 more; the files have washer (14), screw (8), a (2)"
    ]


def test_a_preset_list_may_lack_classes_but_not_all_of_them() -> None:
    dataset = CocoDataset(kind="coco", root="x")
    part = Names({name: int(name in ("person", "dog")) for name in COCO80}, {}, frozenset(COCO80))
    own = Names(dict.fromkeys(COCO80, 0), {"bolt": 12}, frozenset({"bolt"}))
    assert messages(dataset, part, part) == []
    assert messages(dataset, own, own) == ["no box is called person, bicycle, car or 77 more; the files have bolt (24)"]


def test_a_name_that_differs_in_one_split_alone_is_told_for_it() -> None:
    dataset = coco("car", "dog")
    train, val = names(dataset, car=5, dog=3), names(dataset, cars=4, dog=1)
    found = unknown_classes(dataset, {"train": train, "val": val})
    assert [item.message for item in found] == [
        "no box of val is called car; its files have cars (4): did you mean it?"
    ]
    assert (told_of(found, "train"), told_of(found, "val")) == (frozenset(), {"car"})


def test_a_class_that_one_split_lacks_is_not_taken_for_its_neighbour() -> None:
    """Both splits have vans, which the study leaves out; val has no van by another name."""
    dataset = coco("car", "dog")
    train, val = names(dataset, car=5, cars=1, dog=3), names(dataset, cars=4, dog=1)
    assert messages(dataset, train, val) == []


def test_files_without_any_box_are_no_matter_of_names() -> None:
    dataset = coco("car")
    assert messages(dataset, names(dataset), names(dataset)) == []


def spellings(dataset: CocoDataset | VocDataset, train: Names, val: Names) -> list[str]:
    found = {"train": train, "val": val}
    return [item.message for item in other_spellings(dataset, found, unknown_classes(dataset, found))]


def test_a_class_in_two_spellings_of_one_split_is_a_question() -> None:
    dataset = coco("Red", "dog")
    train, val = names(dataset, Red=40, red=12, dog=3), names(dataset, red=1, dog=1)
    question = "same class in another spelling?"
    assert spellings(dataset, train, val) == [
        f"train: 12 boxes are called 'red'; the study asks for 'Red' (40): {question}",
        f"val: 1 box is called 'red'; the study asks for 'Red' (0): {question}",
    ]


def test_many_classes_in_two_spellings_share_one_message() -> None:
    dataset = coco("cat", "hot dog", "bird", "cow")
    split = names(
        dataset, **{"cat": 4, "cat ": 2, "hot dog": 5, "hot_dog": 3, "bird": 1, "Bird": 1, "cow": 1, "COW": 6}
    )
    clean = names(dataset, **dict.fromkeys(("cat", "hot dog", "bird", "cow"), 1))
    assert spellings(dataset, split, clean) == [
        (
            "train: 2 boxes are called 'cat ', 3 boxes are called 'hot_dog' and 1 box is called 'Bird'; the study asks "
            "for 'cat' (4), 'hot dog' (5) and 'bird' (1): same classes in another spelling?; 1 more name like these"
        )
    ]


def test_neighbours_without_boxes_or_with_a_class_of_their_own_are_no_other_spelling() -> None:
    dataset = coco("car", "Car")
    split = names(dataset, car=5, Car=2, cars=4, CAR=0)
    assert spellings(dataset, split, split) == []


def test_what_is_an_error_already_is_no_warning() -> None:
    dataset = coco("Red", "dog")
    split = names(dataset, red=12, dog=3)
    assert messages(dataset, split, split) == ["no box is called Red; the files have red (24): did you mean it?"]
    assert spellings(dataset, split, split) == []
