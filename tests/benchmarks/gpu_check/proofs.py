"""Run tests/gpu. Without a GPU they are only collected, which shows that they can be imported."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.gpu_check.budget import Budget, Row
from tests.benchmarks.gpu_check.scale import Scale

FOLDER = Path(__file__).parents[2] / "gpu"
# tests/conftest.py and the project's settings of pytest ask for packages that a carried check does without.
ALONE = ("-q", "--noconftest", "-c", "/dev/null", "--rootdir", str(FOLDER), "-p", "no:cacheprovider")
IMPORTED = ("--import-mode=importlib", str(FOLDER))


class Collected:
    """Note the names of the tests."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_collection_finish(self, session: Any) -> None:
        """Note what there is to run."""
        self.names = [item.nodeid for item in session.items]


class Watcher:
    """Record how each test ended, and begin none that would hardly end within the share."""

    def __init__(self, budget: Budget, record: Callable[[Row], None]) -> None:
        self._budget, self._record, self._longest = budget, record, 0.0

    def pytest_runtest_protocol(self, item: Any) -> bool | None:
        """Pass a test by when the share is almost over."""
        return None if self._budget.has(self._longest) else True

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Record a test's call, or what came before it and failed."""
        self._longest = max(self._longest, report.duration)
        if report.when == "call" or report.outcome != "passed":
            last = report.longreprtext.splitlines()[-1:] if report.failed else []
            self._record({"name": report.nodeid, "outcome": report.outcome, "why": "".join(last)})


def names(_scale: Scale) -> list[str]:
    """Return the names of the tests. Raises ``RuntimeError`` where they cannot be imported."""
    collected = Collected()
    code = pytest.main([*ALONE, "--collect-only", *IMPORTED], plugins=[collected])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"tests/gpu cannot be collected: {code!r}")
    return collected.names


def measure(scale: Scale, budget: Budget, record: Callable[[Row], None]) -> None:
    """Run the tests, each of which is on record before the next begins."""
    if scale.device.type == "cuda":
        pytest.main([*ALONE, *IMPORTED], plugins=[Watcher(budget, record)])
        return
    for name in names(scale):
        record({"name": name, "outcome": "needs a GPU", "why": ""})
