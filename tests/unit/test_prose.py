"""The check of prose finds relative pronouns, leaves questions and code alone, and holds for this checkout."""

import argparse
import ast

import pytest

from tests import prose
from tests.prose import docstrings, helps, hits, is_hit, messages


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write a study's table with what it rests on.", True),
        ("Return what there is.", True),
        ("Whoever reads sees one moment.", True),
        ("It is the same, whatever the format: plain text.", True),
        ("Which trials ran? What is left?", False),
        ("What is left? Say what is missing.", True),
        ("Return ``lack.what`` and `what` as they are.", False),
        ("Return somewhat more.", False),
        ("```\nwhat it prints\n```\nPlain.", False),
    ],
)
def test_relative_pronouns_are_found_and_questions_and_code_are_not(text, found):
    assert is_hit(text) is found


MODULE = '''"""Say what is here."""
KEYS = {"what": 1}

def f():
    """Return nothing."""
    raise ValueError(f"missing: what {KEYS} needs")
'''


def test_docstrings_and_messages_are_told_apart_and_keys_are_left_alone():
    tree = ast.parse(MODULE)
    assert [one.place for one in hits(docstrings("a.py", tree))] == ["a.py:1"]
    assert [one.place for one in hits(messages("a.py", tree))] == ["a.py:6"]


def test_help_of_commands_and_of_their_arguments_is_read():
    top = argparse.ArgumentParser(prog="top", description="Do it.")
    command = top.add_subparsers().add_parser("run", description="Run what is left.")
    command.add_argument("--to", help="what to write")
    assert [one.place for one in hits(helps(top))] == ["top run", "top run --to"]


def test_the_check_fails_at_its_limit(monkeypatch, capsys):
    monkeypatch.setattr(prose, "sources", lambda: [("a.py", ast.parse('"""Say what is here."""'))])
    assert prose.main() == 1
    assert "1 of 1 docstrings" in capsys.readouterr().out


def test_this_checkout_passes(capsys):
    assert prose.main() == 0, capsys.readouterr().out
