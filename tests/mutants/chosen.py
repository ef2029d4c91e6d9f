"""Run chosen tests only, in the order of the choice, and write down the first one that fails."""

import json
from pathlib import Path

import pytest


class Chosen:
    """Hold the plug-in of a run that looks for one fault."""

    def __init__(self, report: Path, tests: list[str] | None) -> None:
        self._report = report
        self._places = None if tests is None else {test: place for place, test in enumerate(tests)}
        self._failed: str | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self._places is not None:
            places = self._places
            config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in places])
            items[:] = sorted((item for item in items if item.nodeid in places), key=lambda item: places[item.nodeid])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._failed = self._failed or f"{report.nodeid}: collection"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = self._failed or report.nodeid

    def pytest_sessionfinish(self) -> None:
        self._report.write_text(json.dumps({"failed": self._failed}))
