"""Name the files in which a trial hands its states on, and find them. Imports nothing heavy.

``shared-<epoch>.pt`` is for trials of the study that start from it, and goes when the last of them has begun;
``kept-<epoch>.pt`` stays, for trials that nobody has thought of yet.
"""

import re
from pathlib import Path

SHARED, KEPT = "shared", "kept"
NAME = re.compile(rf"({SHARED}|{KEPT})-(\d+)\.pt")


def shared_file(epoch: int) -> str:
    """Return the name of the state after ``epoch`` for trials of the study."""
    return f"{SHARED}-{epoch}.pt"


def kept_file(epoch: int) -> str:
    """Return the name of the state after ``epoch`` that stays."""
    return f"{KEPT}-{epoch}.pt"


def handed_on(directory: Path, epoch: int) -> str:
    """Return the name of a trial's state after ``epoch``: the one that stays, if it is there."""
    kept = kept_file(epoch)
    return kept if (directory / kept).exists() else shared_file(epoch)


def state_files(directory: Path) -> list[tuple[int, Path]]:
    """Return the states that a trial has handed on, each with the epoch after which it was."""
    found = ((NAME.fullmatch(path.name), path) for path in sorted(directory.glob("*.pt")))
    return [(int(match[2]), path) for match, path in found if match]


def epochs_with_state(directory: Path) -> set[int]:
    """Return the epochs after which a trial has handed its state on."""
    return {epoch for epoch, _ in state_files(directory)}


def shared_files(directory: Path) -> dict[int, Path]:
    """Return a trial's states for trials of the study, by epoch."""
    return {epoch: path for epoch, path in state_files(directory) if path.name == shared_file(epoch)}
