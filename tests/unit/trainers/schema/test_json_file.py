"""A COCO file that is no JSON, or holds numbers that no float holds, is told in a phrase with the place."""

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.trainers.coco_content import Content, content, write
from trainers.schema.annotations import read_split
from trainers.schema.annotations.as_coco import UnreadableSplit, read_as_coco

LISTS = ("images", "annotations", "categories")
HUGE = 10**400


def text_of(value: Content, last: str) -> str:
    """Return a COCO file, an entry a line, whose last list is ``last``."""
    lists = [key for key in LISTS if key != last] + [last]
    return "{" + ",\n".join(f'"{key}": [\n' + ",\n".join(map(json.dumps, value[key])) + "\n]" for key in lists) + "}"


def stopping(folder: Path, text: str) -> str:
    """Return why a split with this file cannot be read."""
    dataset = write(folder, content())
    (folder / "train.json").write_text(text)
    note = read_split(dataset, "train").notes.stopping
    assert note is not None
    return note.message


@pytest.mark.parametrize("last", LISTS)
@pytest.mark.parametrize("key", LISTS)
def test_a_comma_too_many_is_told_with_its_place(key: str, last: str, tmp_path: Path) -> None:
    text = text_of(content(3), last)
    end = text.index("\n]", text.index(f'"{key}"'))
    line, column = text.count("\n", 0, end) + 1, end - text.rfind("\n", 0, end)
    said = f"cannot be read as JSON: a comma with nothing behind it: line {line} column {column} (char {end})"
    assert stopping(tmp_path, f"{text[:end]},{text[end:]}") == said


def test_a_list_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    found = content()
    del found["categories"]
    assert stopping(tmp_path, json.dumps(found)) == "has no list of categories"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each number of each list's first entry."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value[:1] if not path[1:] else value):
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))
        elif not isinstance(inner, str):
            yield (*path, key)


@pytest.mark.parametrize(
    "place", [*places(content(1)), ("images", 0, "note")], ids=lambda place: ".".join(map(str, place))
)
def test_a_number_of_five_thousand_digits_is_told_with_its_place(place: tuple[Any, ...], tmp_path: Path) -> None:
    text = text_of(changed(place, "HERE"), "categories")
    at = text.index('"HERE"')
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    said = stopping(tmp_path, text.replace('"HERE"', "7" * 5000))
    assert said == f"has a number of 5000 digits: line {line} column {column} (char {at})"


@pytest.mark.parametrize("place", [*places(content(1))], ids=lambda place: ".".join(map(str, place)))
def test_a_number_that_no_float_holds_stands_in_no_box(place: tuple[Any, ...], tmp_path: Path) -> None:
    dataset = write(tmp_path, changed(place, HUGE))
    found = read_split(dataset, "train")
    assert found.notes.counts
    assert all(abs(float(number)) < 1e300 for image in found.images for box in image.boxes for number in box[1:6])
    with contextlib.suppress(UnreadableSplit):
        json.dumps(read_as_coco(dataset, "train"))


def changed(place: tuple[Any, ...], value: Any) -> Content:
    """Return content with another value at a place."""
    found = copy.deepcopy(content(1))
    holder: Any = found
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    return found
