"""Reading YAML: any bytes end in a document, plain data comes back as it was, and every value has its line."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from orchestrator.study.document import MAX_DEPTH, Document, read_file, read_text
from orchestrator.study.inherit import paths_in
from orchestrator.study.location import Location
from orchestrator.study.scalars import plain
from tests.examples import examples

# What YAML's reader takes as it is: neither control characters nor surrogates, nor a byte-order mark.
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufeff\u2028\u2029\ufffe\uffff"), max_size=12)  # fmt: skip
NUMBER = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
TREE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
YAMLISH = st.lists(
    st.sampled_from([*"abc01-+.:,?!&*|>%@`#'\"{}[]\t\n ", "- ", ": ", "\n  ", "<<", "!!str ", "\\x", "---\n", "1e9", "\0", "é", "\x85"]),
    max_size=40,
).map("".join)  # fmt: skip


def read(text: str) -> Document:
    return read_text(text, lambda line: Location("f", line))


@given(TREE)
def test_json_comes_back_as_it_was(tree: JsonValue) -> None:
    document = read(json.dumps(tree, ensure_ascii=False))
    assert document.problems == []
    assert document.complete
    assert same(document.data, tree)


@given(TREE)
def test_every_value_has_a_line(tree: JsonValue) -> None:
    text = json.dumps(tree, ensure_ascii=False, indent=1)
    document = read(text)
    assert set(document.lines) == set(paths_in(document.data))
    last = text.count("\n") + 1
    assert all(at.line is not None and 1 <= at.line <= last for at in document.lines.values())


@given(YAMLISH)
@settings(max_examples=examples(500))
def test_any_text_ends_in_data_or_problems(text: str) -> None:
    document = read(text)
    assert document.complete or document.problems
    json.dumps(document.data, allow_nan=False)  # plain data, whatever else it is
    assert depth(document.data) <= MAX_DEPTH


@given(content=st.binary(max_size=60))
def test_any_file_ends_in_data_or_problems(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content)
    document = read_file(path, "f")
    assert isinstance(document.data, dict) or document.problems


@given(st.text("0123456789.eExXoO+-_:infNA~truefalsnl", max_size=8))
def test_scalars_are_numbers_or_stay_text(text: str) -> None:
    try:
        value = plain(text)
    except ValueError:
        return
    if isinstance(value, float):
        assert math.isfinite(value)
        assert value == float(text)
    elif isinstance(value, int) and not isinstance(value, bool):
        assert value == int(text, 0 if text[:2] in ("0x", "0o") else 10)
    elif isinstance(value, str):
        assert value == text


def same(found: JsonValue, wanted: JsonValue) -> bool:
    """Tell whether two trees are equal, types of numbers included."""
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict) and list(found) == list(wanted) and all(same(found[k], wanted[k]) for k in wanted)
        )
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(same, found, wanted))
    return type(found) is type(wanted) and found == wanted


def depth(tree: Any) -> int:
    """Return how deep a tree is nested; a single value is 0 deep."""
    if not isinstance(tree, dict | list):
        return 0
    return 1 + max(map(depth, tree.values() if isinstance(tree, dict) else tree), default=0)
