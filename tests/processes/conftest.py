"""Give the detectors that the unit tests of trainers train, and a pair of worker processes, once a session."""

from collections.abc import Iterator

import pytest

from tests.processes.gloo import GlooPair
from tests.unit.trainers.conftest import distilled, ordinary_arithmetic, teacher, train_once

__all__ = ["distilled", "gloo_pair", "ordinary_arithmetic", "teacher", "train_once"]


@pytest.fixture(scope="session")
def gloo_pair() -> Iterator[GlooPair]:
    """Start two processes at the first use; their files stand in ``SHARED`` of tests/conftest.py."""
    pair = GlooPair()
    yield pair
    pair.close()
