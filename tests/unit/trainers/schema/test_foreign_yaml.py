"""YAML of others is read up to its bounds, each of them included, and refused one step beyond."""

import pytest

from trainers.schema.foreign_yaml import MAX_DEPTH, MAX_LINE, MAX_LONG_NUMBERS, MAX_VALUES, ForeignYamlError, parse_yaml

LONG = "1" * 19


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def numbers(count: int, number: str = LONG) -> str:
    return "\n".join(f"- {number}" for _ in range(count))


@pytest.mark.parametrize(
    "text",
    [
        nested(MAX_DEPTH),
        numbers(MAX_LONG_NUMBERS),
        numbers(MAX_LONG_NUMBERS, f"-{LONG}"),
        numbers(MAX_LONG_NUMBERS + 1, "1" * 18),
        "\n".join("- a" for _ in range(MAX_VALUES - 1)),  # the list is a value, too
        "'" + "a" * (MAX_LINE - 2) + "'",
        "",
    ],
)
def test_a_text_at_its_bounds_is_read(text):
    parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (nested(MAX_DEPTH + 1), "is nested more than 32 levels deep"),
        (numbers(MAX_LONG_NUMBERS + 1), "has more than 100 numbers of 19 digits or more"),
        (numbers(MAX_LONG_NUMBERS + 1, f"+{LONG}"), "has more than 100 numbers of 19 digits or more"),
        ("\n".join("- a" for _ in range(MAX_VALUES)), "has more than 20000 values"),
        ("'" + "a" * (MAX_LINE - 1) + "'", "has a line of 100001 characters, more than 100000"),
        ("a: &x 1\nb: *x", r"has the alias \*x: repeat the value"),
        ("a: [1", "is no YAML: "),
        ('a: "\\UFFFFFFFF"', "is no YAML: "),
        ("a: !!python/object:os.system 1", "is no YAML: "),
    ],
)
def test_a_text_beyond_its_bounds_is_refused(text, told):
    with pytest.raises(ForeignYamlError, match=told):
        parse_yaml(text)


def test_lists_side_by_side_are_not_deep():
    assert parse_yaml("\n".join(f"- {nested(MAX_DEPTH - 1)}" for _ in range(3))) is not None
    assert parse_yaml("a: 1\nb: [2, x]\n") == {"a": 1, "b": [2, "x"]}
