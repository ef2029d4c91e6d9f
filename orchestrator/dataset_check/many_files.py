"""Ask one question about many files, in their order, for as long as there is time."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

T = TypeVar("T")

AT_ONCE, BLOCK = 16, 500
SLOW_S = 0.02  # for a block: of a shared file system, which answers many questions in the time of one


def asked(paths: Sequence[str], question: Callable[[str], T], deadline: float, least: int = 0) -> list[T]:
    """Return the answers for the first files, as many as come until ``deadline``, in seconds since 1970.

    ``least`` files are asked however long it takes: on a busy machine a process may stand still for longer.
    The first block tells whether threads are worth it: on a local disk they only take turns.
    """
    first, *rest = [paths[start : start + BLOCK] for start in range(0, len(paths), BLOCK)] or [()]
    begun = time.monotonic()
    found = _of_block(first, question, deadline, least)
    if time.monotonic() - begun <= SLOW_S:
        blocks = [found, *(_of_block(block, question, deadline, 0) for block in rest)]
    else:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            blocks = [found, *pool.map(lambda block: _of_block(block, question, deadline, 0), rest)]
    return _without_gaps(blocks, [len(block) for block in (first, *rest)])


def _without_gaps(blocks: list[list[T]], sizes: list[int]) -> list[T]:
    """Return the answers up to the first file that has none: of threads, a later block may have come further."""
    short = next((number for number, size in enumerate(sizes) if len(blocks[number]) < size), len(blocks))
    return list(chain.from_iterable(blocks[: short + 1]))


def _of_block(paths: Sequence[str], question: Callable[[str], T], deadline: float, least: int) -> list[T]:
    """Return the answers for a block's first files; it is shorter than the block once the time is over."""
    found = []
    for number, path in enumerate(paths):
        if number >= least and time.time() > deadline:
            break
        found.append(question(path))
    return found
