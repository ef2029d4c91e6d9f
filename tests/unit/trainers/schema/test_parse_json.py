"""Foreign JSON: every text is a value within the limits or a ``ForeignJsonError``."""

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.schema.foreign_json import ForeignJsonError, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_what_json_writes_is_read_to_the_last_bit(value):
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000, "[" * 5000 + "]" * 5000, '{"a":' * 300 + "1" + "}" * 300, "[" * 1_000_000, "9" * 301, "-" + "1" * 5000,
        "0." + "1" * 5000, "1e" + "9" * 400, '"\\ud800"', '"\ud800"', b"\xff\xfe", "", "nan", "1 2", "{1: 2}", "\x00",
    ],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_everything_else_is_refused_in_one_way(text):
    with pytest.raises(ForeignJsonError):
        parse_json(text)


def test_digits_in_a_string_are_no_number():
    assert parse_json('["\\"' + "1" * 400 + '"]') == ['"' + "1" * 400]


def test_size_is_a_limit():
    assert parse_json("[1]", largest=3) == [1]
    with pytest.raises(ForeignJsonError, match="has 4 bytes, more than 3"):
        parse_json("[10]", largest=3)


def test_the_number_of_values_is_a_limit_and_text_is_one_value():
    assert parse_json('["' + "," * 50 + '"]', most_values=10) == ["," * 50]
    with pytest.raises(ForeignJsonError, match="more than 10 values"):
        parse_json("[" + "[]," * 20 + "[]]", most_values=10)


@pytest.mark.parametrize("unit", ['\\"', '"', "\\\\", '",['])
def test_a_long_hostile_text_takes_linear_time(unit):
    text = '["' + unit * 2_000_000
    begin = time.process_time()
    with pytest.raises(ForeignJsonError):
        parse_json(text + "9" * 400, most_values=1000)
    assert time.process_time() - begin < 5  # seconds; quadratic time would be hours


def test_constants_are_read_unless_they_are_refused():
    assert math.isnan(parse_json("NaN"))
    for text in ("NaN", "[Infinity]", "-Infinity"):
        with pytest.raises(ForeignJsonError):
            parse_json(text, constants=False)


def test_a_byte_order_mark_is_no_mistake():
    assert parse_json(b"\xef\xbb\xbf{}") == {}
