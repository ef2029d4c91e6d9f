"""Tell each anchor about its pyramid level: whether the level holds positives, and how many.

``positive_A`` is bool, ``level_A`` int64, both (A,), anchors of all images of this worker's batch.
"""

import torch
from torch import Tensor

from trainers.distill.losses.checks import shape_of


def level_gate(positive_A: Tensor, level_A: Tensor, num_levels: int) -> Tensor:
    """Pass the anchors of the levels that hold at least one positive, as the authors' code does.

    Args:
        positive_A: bool, True where an anchor is assigned to an object, in any image of the batch.
        level_A: int64, the level of each anchor, from 0 to ``num_levels - 1``.
        num_levels: L, the number of levels.

    Returns:
        Bool of shape (A,): True for every anchor, positive or not, of a level with a positive. No gradient.

    Workers: the gate looks at this worker's batch. A level whose positives all lie on other workers is dropped here and
    kept there, so N workers equal one worker only if every level has a positive on every worker.

    Source: the authors' code; neither the paper nor Algorithm A1 has a gate.

    Raises:
        ValueError: shapes disagree.
        TypeError: ``positive_A`` is not bool or ``level_A`` not int64.
        IndexError: a level lies outside the range (on CUDA: a device-side assertion).
    """
    return positives_of_level(positive_A, level_A, num_levels) > 0


def positives_of_level(positive_A: Tensor, level_A: Tensor, num_levels: int) -> Tensor:
    """Count the positives of each anchor's level in this worker's batch, shape (A,), int64, no gradient.

    Raises:
        ValueError, TypeError, IndexError: as ``level_gate``.
    """
    if positive_A.ndim != 1 or positive_A.shape != level_A.shape:
        raise ValueError(f"positive and level must be (A,), got {shape_of(positive_A)} and {shape_of(level_A)}")
    if positive_A.dtype != torch.bool or level_A.dtype != torch.int64:
        raise TypeError(f"positive must be bool and level int64, got {positive_A.dtype} and {level_A.dtype}")
    member_AL = level_A[:, None] == torch.arange(num_levels, device=level_A.device)
    count_L = (member_AL & positive_A[:, None]).sum(dim=0)
    # index_select refuses a level outside the range, which a mask of members would silently drop.
    return count_L.index_select(0, level_A)
