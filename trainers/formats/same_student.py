"""Compare two student checkpoints, and read which trial wrote one."""

from pathlib import Path

import torch

from trainers.errors import TrialError
from trainers.formats.weights import read_checkpoint, read_state_dict


def trial_of(path: Path) -> str:
    """Return the id of the trial that wrote a student; raise ``TrialError`` where the file does not say."""
    found = read_checkpoint(path).get("meta")
    trial = found.get("trial") if isinstance(found, dict) else None
    if not isinstance(trial, str):
        raise TrialError(f"{path} does not say which trial wrote it")
    return trial


def differing_tensors(one: Path, other: Path) -> tuple[int, list[str]]:
    """Return how many tensors two students have, and the names of those that are not equal to the bit in both."""
    first, second = read_state_dict(one), read_state_dict(other)
    names = sorted({*first, *second})
    return len(names), [
        name for name in names if not (name in first and name in second and torch.equal(first[name], second[name]))
    ]
