"""Derive every random number of a trial from (seed, purpose, position), so that resuming needs no generator state."""

import hashlib
import random

import numpy as np
import torch


def derive(seed: int, *parts: int | str) -> int:
    """Return a 32-bit seed that is a function of ``seed`` and ``parts`` alone, on every machine."""
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def seed_everything(value: int) -> None:
    """Seed Python's, NumPy's and torch's global generators, a GPU's only where one is in use."""
    random.seed(value)
    np.random.seed(value)  # noqa: NPY002  (mmdet draws its augmentation from the global generator)
    # torch.manual_seed would, without a GPU, note the whole call stack each time: ten times what all of this takes
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(value)
