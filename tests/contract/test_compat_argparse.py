"""The private parts of argparse that orchestrator/compat uses have the shape that they had in Python 3.11."""

import argparse
import platform

from orchestrator.compat.argparse_help import aligned
from tests.contract.written_against import parameters

PYTHON = f"the compat module was written against Python 3.11, and this is {platform.python_version()}"
NAMES = ("run", "a-longer-command")


def test_argparse_formats_one_action_at_a_time_and_knows_the_longest() -> None:
    assert parameters(argparse.HelpFormatter._format_action) == ["self", "action"], PYTHON
    assert argparse.HelpFormatter("x")._action_max_length == 0, PYTHON


def test_each_command_has_its_sentence_on_its_line() -> None:
    parser = argparse.ArgumentParser("x", formatter_class=aligned(NAMES))
    commands = parser.add_subparsers()
    for name in NAMES:
        commands.add_parser(name, help="does it")
    lines = [line for line in parser.format_help().splitlines() if "does it" in line]
    assert [line.split()[0] for line in lines] == list(NAMES), PYTHON
    assert len({line.index("does it") for line in lines}) == 1, PYTHON
