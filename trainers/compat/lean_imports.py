"""Keep mmdet's optional imports out of a training process."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

NEEDLESS = "sklearn"  # for mmdet's tracking and PAA heads; a fifth of the time that importing mmdet takes


@contextmanager
def lean_imports() -> Iterator[None]:
    """Make imports of scikit-learn fail inside the block, as where it is not installed: mmdet goes on without it."""
    known = NEEDLESS in sys.modules
    if not known:
        sys.modules[NEEDLESS] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    try:
        yield
    finally:
        if not known:
            del sys.modules[NEEDLESS]
