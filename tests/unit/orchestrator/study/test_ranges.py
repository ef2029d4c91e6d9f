"""Ranges draw what they promise: every value between their ends, on their steps, and nothing else."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from orchestrator.study.document import read_text
from orchestrator.study.location import Location
from orchestrator.study.range_forms import EXAMPLES, FORMS
from orchestrator.study.ranges import Int, LogInt, LogUniform, Range, Uniform
from orchestrator.study.schema import Domain
from orchestrator.study.space import values_of
from tests.examples import examples

DRAWS = 4000


def drawn(domain: Range) -> Counter[float]:
    generator = random.Random(7)
    return Counter(domain.draw(generator) for _ in range(DRAWS))


def test_integers_are_drawn_alike_with_both_ends() -> None:
    found = drawn(Int(int=(3, 7)))
    assert sorted(found) == [3, 4, 5, 6, 7]
    assert min(found.values()) > 0.8 * DRAWS / 5
    assert all(type(value) is int for value in found)


def test_steps_are_counted_from_the_lowest_value() -> None:
    assert sorted(drawn(Int(int=(4, 16), step=4))) == [4, 8, 12, 16]
    assert sorted(drawn(Uniform(uniform=(0.1, 0.7), step=0.2))) == [
        0.1,
        0.3,
        0.5,
        0.7,
    ]  # as written, not 0.30000000000000004


def test_integers_in_the_logarithm_have_the_share_of_the_logarithm_around_them() -> None:
    found = drawn(LogInt(logint=(1, 64)))
    assert min(found) == 1
    assert max(found) == 64
    assert 0.17 < found[1] / DRAWS < 0.28  # log(1.5 / 0.5) / log(64.5 / 0.5) = 0.226
    assert 0.08 < found[2] / DRAWS < 0.13  # log(2.5 / 1.5) / log(129) = 0.105


def test_a_range_without_a_step_draws_as_it_always_did() -> None:
    generator, again = random.Random(3), random.Random(3)
    assert Uniform(uniform=(1.0, 3.0)).draw(generator) == again.uniform(1.0, 3.0)


@pytest.mark.parametrize(
    ("domain", "value", "nearest"),
    [
        (Uniform(uniform=(0.0, 2.0)), 1.234, 1.234),
        (Uniform(uniform=(0.0, 2.0), step=0.5), 1.3, 1.5),
        (Uniform(uniform=(0.0, 2.0), step=0.5), 9.0, 2.0),
        (LogUniform(loguniform=(0.1, 1.0)), 0.01, 0.1),
        (Int(int=(1, 9), step=2), 3.9, 3),
        (LogInt(logint=(1, 64)), 100.0, 64),
    ],
)
def test_the_nearest_value_is_one_that_could_be_drawn(domain: Range, value: float, nearest: float) -> None:
    assert domain.nearest(value) == nearest
    assert type(domain.nearest(value)) is type(nearest)


def test_defaults_stand_in_no_record_so_that_older_searches_keep_their_logs() -> None:
    assert Uniform(uniform=(0.0, 2.0)).model_dump(mode="json") == {"uniform": [0.0, 2.0]}
    assert Int(int=(1, 2)).model_dump(mode="json") == {"int": [1, 2]}
    assert Int(int=(1, 3), step=2).model_dump(mode="json") == {"int": [1, 3], "step": 2}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"uniform": [0.0, 2.0], "step": 0.3}, "steps of 0.3 from 0 do not come to 2: give [0, 1.8] or another step"),
        ({"int": [4, 9], "step": 2}, "steps of 2 from 4 do not come to 9: give [4, 8] or another step"),
        ({"int": [4, 5], "step": 3}, "steps of 3 from 4 do not come to 5: give [4, 7] or another step"),
        ({"int": [7, 7]}, "low must be below high"),
        ({"int": [1.5, 7]}, "int needs two integers, [low, high], got [1.5, 7]: write {uniform: [1.5, 7]}"),
        ({"int": ["1", 7]}, "got [text '1', 7]: write {int: [1, 7]}"),
        ({"int": [1.0, 7.0]}, "got [1.0, 7.0]: write {int: [1, 7]}"),
        ({"int": [True, 7]}, "int needs two integers"),
        ({"uniform": {"low": 0, "high": 1}}, "got {low: 0, high: 1}: write {uniform: [0, 1]}"),
        ({"uniform": 3}, "uniform needs two numbers, [low, high], got 3: as in {uniform: [0.0, 2.0]}"),
        ({"uniform": [1, 2, 3]}, "got [1, 2, 3]: as in {uniform: [0.0, 2.0]}"),
        ({"uniform": [0, 1], "int": [1, 2]}, "has uniform and int, and a range has one of them"),
        ({"logint": [0, 7]}, "needs 1 <= low < high"),
        ({"loguniform": [1, 7], "step": 1}, "loguniform takes no step: leave it out, or take uniform or int"),
        ({"low": 1, "high": 3}, "is no range: write {uniform: [1, 3]}, or {int: [1, 3]} for integers"),
        ({"min": 0.1, "max": 3, "log": True}, "is no range: write {loguniform: [0.1, 3]}"),
        ({"values": [1, 3]}, "is no range: write its values as a list, [1, 3]"),
        (
            3,
            "is neither a list nor a range, got 3: write a list ([0.5, 1.0]), a range ({uniform: [0.0, 2.0]}, {loguniform",
        ),
        ({"int": ["1e400", 3]}, "got [text '1e400', 3]: as in {int: [1, 8]}"),
        ({"int": ["7", "1"]}, "write {int: [1, 7]}"),
        ({"uniform": [0.0, 1.0], "step": 1e-320}, "steps of 1e-320 from 0 do not come to 1: give another step"),
        ({"uniform": [0.123456789, 1.0], "step": 0.5}, "give [0.123456789, 0.623456789] or another step"),
        ({"int": [1, 10**20], "step": 10**7}, f"give [1, {10**20 - 10**7 + 1}] or another step"),
        ({"uniform": [1e308, 1.5e308], "step": 1e308}, "do not come to 1.5e+308: give another step"),
        ({"values": ["a b", "true", 1e-05]}, 'write its values as a list, ["a b", "true", 1e-05]'),
        ({"values": []}, "is neither a list nor a range"),
        ({}, "or integers ({int: [1, 8]}, {logint: [1, 64]})"),
    ],
)
def test_a_wrong_range_is_refused_in_words(value: object, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Domain).validate_json(json.dumps(value))
    [error] = refused.value.errors()
    assert said in error["msg"]


ENDS = st.one_of(
    st.integers(-5, 9), st.integers(-(10**60), 10**60), st.floats(allow_nan=False, allow_infinity=False), st.none(),
    st.sampled_from([0.5, 1.0, 2.5, "1", "2.0", " 3", "1e400", "-1e400", "x", "", "nan", "9" * 120, True, [], {}, 1e308, -1e308]),
)  # fmt: skip
STEPS = st.one_of(st.integers(-2, 9), st.sampled_from([0.1, 0.3, 1e-320, 1e308, 7 * 10**18, 2.5]))
RANGES = st.one_of(
    st.builds(lambda kind, ends: {kind: ends}, st.sampled_from(sorted(EXAMPLES)), st.lists(ENDS, min_size=1, max_size=3)),
    st.builds(lambda kind, low, high: {kind: [low, high]}, st.sampled_from(sorted(EXAMPLES)), ENDS, ENDS),
    st.builds(
        lambda kind, low, high, step: {kind: [low, high], "step": step}, st.sampled_from(sorted(EXAMPLES)), ENDS, ENDS, STEPS
    ),
    st.builds(lambda words, low, high, log: {words[0]: low, words[1]: high, "log": log},
              st.sampled_from([("min", "max"), ("low", "high")]), ENDS, ENDS, st.booleans()),
    st.builds(lambda values: {"values": values}, st.lists(ENDS, max_size=4)),
)  # fmt: skip


@given(RANGES)
@settings(max_examples=examples(400))
def test_whoever_follows_a_remedy_has_a_range(value: dict[str, Any]) -> None:
    for remedied in remedies(value):
        TypeAdapter(Domain).validate_json(json.dumps(remedied))


def remedies(value: dict[str, Any]) -> Iterator[Any]:
    """Yield what the message about a wrong range tells the user to write, as YAML reads it."""
    try:
        TypeAdapter(Domain).validate_json(json.dumps(value))
    except ValidationError as refused:
        for error in refused.errors():
            said = error["msg"].removeprefix("Value error, ")
            if "give [" in said:
                ends = re.findall(r"give (\[.*\]) or another step", said)
                yield from ({**value, next(iter(value)): read(text)} for text in ends)
            listed = re.search(r"write its values as a list, (\[.*\])$", said)
            forms = (
                [listed[1]]
                if listed
                else re.findall(r"\{(?:uniform|loguniform|int|logint): \[[^\]]*\]\}", said.partition(": ")[2])
            )
            if "write" in said or "as in" in said:
                yield from map(read, forms)


def read(text: str) -> Any:
    return read_text(f"value: {text}", lambda line: Location("x", line)).data["value"]  # type: ignore[index,call-overload]


def test_the_ends_of_a_range_stand_for_its_values() -> None:
    assert values_of(LogInt(logint=(2, 32))) == (2, 32)
    assert values_of((1, 5, 9)) == (1, 5, 9)


@pytest.mark.parametrize("form", re.findall(r"\[[\d., ]+\](?=\))|\{[^}]*\}", FORMS))
def test_what_a_message_proposes_is_accepted(form: str) -> None:
    found = TypeAdapter(Domain).validate_json(json.dumps(yaml.safe_load(form)))
    assert isinstance(found, Range) or found == (0.5, 1.0)
