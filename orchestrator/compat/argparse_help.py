"""Lay out the help of commands and walk their arguments, with parts of argparse that Python keeps private (written against 3.11)."""

import argparse
import re
from collections.abc import Iterator
from textwrap import wrap

COLUMNS = re.compile(r" +\S+ {2,}(?=\S)")  # a name and the space before its sentence


class PageFormatter(argparse.HelpFormatter):
    """Keep the lines of descriptions and epilogs, which argparse would run together.

    A paragraph is wrapped, a line of two columns too, below its second column. Other indented lines stay as they are:
    they are commands for copying.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for part in text.splitlines() for line in _wrapped(part, width - len(indent)))


def _wrapped(line: str, width: int) -> list[str]:
    """Return a line of text as lines of at most ``width`` columns, of whole words."""
    columns = COLUMNS.match(line)
    if not line or (line.startswith(" ") and columns is None):
        return [line]
    hanging = " " * (columns.end() if columns else 0)
    return wrap(line, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from actions_of(command)
