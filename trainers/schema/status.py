"""Name the states of a trial, and say which of them are ends. Imports nothing heavy."""

from typing import Literal, get_args

Ended = Literal["finished", "stopped", "failed"]
Status = Literal["new", "unfinished", Ended]
OVER = ("finished", "stopped")


def is_over(status: str) -> bool:
    """Tell whether there is nothing left to train: a trial that was stopped early is done, a failed one is tried again."""
    return status in OVER


def has_ended(status: str) -> bool:
    """Tell whether a trial has an outcome: it is over, or it failed and waits for the next run."""
    return status in get_args(Ended)
