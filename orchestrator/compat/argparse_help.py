"""Align the help of commands with a part of argparse that Python keeps private (written against 3.11)."""

import argparse
from collections.abc import Iterable
from functools import partial

INDENT = 4  # of a command's name in the list of commands


def aligned(names: Iterable[str]) -> "partial[AlignedFormatter]":
    """Return a ``formatter_class`` that keeps the longest of the commands on the line of its sentence."""
    return partial(AlignedFormatter, width=max(map(len, names)) + INDENT)


class AlignedFormatter(argparse.HelpFormatter):
    """Begin all sentences behind the longest command: argparse forgets that commands are indented."""

    def __init__(self, prog: str, width: int) -> None:
        super().__init__(prog)
        self._least_width = width

    def _format_action(self, action: argparse.Action) -> str:
        self._action_max_length = max(self._action_max_length, self._least_width)
        return super()._format_action(action)
