"""The private parts of argparse that orchestrator/compat uses have the shape that they had in Python 3.11."""

import argparse
import platform

from orchestrator.compat.argparse_help import PageFormatter, actions_of
from tests.contract.written_against import parameters

PYTHON = f"the compat module was written against Python 3.11, and this is {platform.python_version()}"
TEXT = """Does one thing after the other, and says so in a sentence that is longer than a line.

group:
  run     Does it, at some length: so long that the sentence needs a second line.

examples:
  x run a file with a long name, as it is typed, however long the line becomes
"""


def test_argparse_fills_a_text_in_one_place() -> None:
    assert parameters(argparse.HelpFormatter._fill_text) == ["self", "text", "width", "indent"], PYTHON


def test_lines_columns_and_commands_stay_apart(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    parser = argparse.ArgumentParser("x", usage="x", description=TEXT, formatter_class=PageFormatter, add_help=False)
    assert parser.format_help().splitlines()[2:] == [
        "Does one thing after the other, and says so in a sentence",
        "that is longer than a line.",
        "",
        "group:",
        "  run     Does it, at some length: so long that the",
        "          sentence needs a second line.",
        "",
        "examples:",
        "  x run a file with a long name, as it is typed, however long the line becomes",
    ], PYTHON


def test_a_word_that_is_wider_than_the_page_stays_whole_also_at_its_hyphens(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "22")
    word = "https://host/a-long-and-hyphenated/name"
    parser = argparse.ArgumentParser("x", usage="x", description=f"See {word} there.", formatter_class=PageFormatter)
    assert parser.format_help().splitlines()[2:5] == ["See", word, "there."], PYTHON


def test_the_arguments_of_a_parser_and_its_commands_are_known() -> None:
    parser = argparse.ArgumentParser("x", add_help=False)
    parser.add_argument("--top")
    parser.add_subparsers(dest="command").add_parser("run", add_help=False).add_argument("study")
    assert [action.dest for action in actions_of(parser)] == ["top", "command", "study"], PYTHON
