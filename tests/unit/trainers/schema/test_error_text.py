import pytest

from trainers.schema.error_text import first_line, first_line_of, last_line, last_line_of


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("one", "one", "one"), ("\n  one\ntwo\n\n", "one", "two"), ("", "", ""), (" \n ", "", "")],
)
def test_lines_of_a_text(text, first, last):
    assert (first_line_of(text), last_line_of(text)) == (first, last)


@pytest.mark.parametrize("error", [ValueError(), ValueError("\n")])
def test_an_error_without_a_message_is_named_by_its_class(error):
    assert first_line(error) == last_line(error) == "ValueError"


def test_an_error_is_named_by_its_message():
    assert first_line(OSError("full\nmore")) == "full"
    assert last_line(OSError("full\nmore")) == "more"
