"""Configs are written as Python that says the same again."""

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from trainers.schema.config_text import PythonConfig
from trainers.schema.config_writing import WIDTH, Code, config_source

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=examples(60))
@given(st.dictionaries(st.sampled_from(["model", "data", "steps"]), VALUES))
def test_python_reads_back_the_same_values(values: dict[str, Any]) -> None:
    found: dict[str, Any] = {}
    exec(config_source(values, "a heading\nof two lines"), found)  # noqa: S102  the text is made of the drawn values
    assert {name: found[name] for name in values} == values


def test_code_stands_as_it_is_and_long_values_are_broken_into_lines() -> None:
    values = {"first": {"class": 1, "b": [1, 2]}, "second": [Code("first")], "third": {"steps": ["x" * 30] * 4}}
    text = config_source(values)
    assert text.startswith("first = {'class': 1, 'b': [1, 2]}\nsecond = [first]\nthird = dict(\n    steps=[\n")
    assert max(map(len, text.splitlines())) <= WIDTH


def test_the_light_reader_reads_it_too(tmp_path: Path) -> None:
    values = {"model": {"type": "GFL", "sizes": (1,), "parts": [{"a": None}] * 30}}
    path = tmp_path / "config.py"
    path.write_text(config_source(values))
    assert PythonConfig(path).evaluate({}).values == values
