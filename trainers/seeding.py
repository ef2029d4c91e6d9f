"""Derive every random number of a trial from (seed, what, where), so that resuming needs no generator state."""

import hashlib
import random

import numpy as np
import torch


def derive(seed: int, *parts: int | str) -> int:
    """Return a 32-bit seed that is a function of ``seed`` and ``parts`` alone, on every machine."""
    text = "/".join(str(part) for part in (seed, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def seed_everything(value: int) -> None:
    """Seed Python's, NumPy's and torch's global generators."""
    random.seed(value)
    np.random.seed(value)  # noqa: NPY002  (mmdet draws its augmentation from the global generator)
    torch.manual_seed(value)
