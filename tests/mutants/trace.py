"""Write down which lines of ours each test runs, and how long it takes."""

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.mutants.nursery import OURS

Lines = dict[str, set[int]]
MOST_CALLS = 40  # of a function in a test whose lines are followed: property tests would take four times as long


class Trace:
    """Hold the plug-in of a run without faults.

    Lines that a fixture of a wider scope runs belong to all tests of the file in which it was first used.
    """

    def __init__(self, report: Path, root: Path) -> None:
        self._report = report
        self._prefixes = tuple(f"{root}/{name}" for name in OURS)
        self._cut = len(f"{root}/")
        self._tests: dict[str, dict[str, Any]] = {}
        self._shared: dict[str, Lines] = defaultdict(lambda: defaultdict(set))
        self._lines: Lines = defaultdict(set)
        self._calls: dict[int, int] = defaultdict(int)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        lines: Lines = defaultdict(set)
        self._lines = lines
        self._calls.clear()
        began = time.monotonic()
        self._trace(True)
        try:
            return (yield)
        finally:
            self._trace(False)
            entry = self._tests.setdefault(item.nodeid, {"passed": True})
            entry.update(seconds=round(time.monotonic() - began, 3), lines=_plain(lines))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
        before = self._lines
        if fixturedef.scope != "function":
            self._lines = self._shared[_file_of(request)]
        try:
            return (yield)
        finally:
            self._lines = before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.skipped:
            self._tests.setdefault(report.nodeid, {})["passed"] = False

    def pytest_sessionfinish(self) -> None:
        shared = {name: _plain(lines) for name, lines in self._shared.items()}
        self._report.write_text(json.dumps({"tests": self._tests, "shared": shared}))

    def _trace(self, on: bool) -> None:
        threading.settrace(self._called if on else None)  # type: ignore[arg-type]
        sys.settrace(self._called if on else None)

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        name, code = frame.f_code.co_filename, id(frame.f_code)
        if not name.startswith(self._prefixes) or self._calls[code] >= MOST_CALLS:
            return None
        self._calls[code] += 1
        lines = self._lines[name[self._cut :]]
        lines.add(frame.f_lineno)

        def ran(frame: FrameType, event: str, argument: object) -> Any:
            lines.add(frame.f_lineno)
            return ran

        return ran


def _file_of(request: pytest.FixtureRequest) -> str:
    """Return the file of the test that asks for a fixture first, whatever the fixture's scope."""
    item: pytest.Item = request._pyfuncitem
    return item.nodeid.partition("::")[0]


def _plain(lines: Lines) -> dict[str, list[int]]:
    return {file: sorted(found) for file, found in lines.items()}
