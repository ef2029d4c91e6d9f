"""Judge faults of the page's scripts in one session of pytest: its store, its server and its browser serve them all.

Started as ``python -m tests.mutants.pages FAULTS LEDGER`` in the root of a copy. The first file has a fault (JSON) a line;
the outcome of each is added to the second one at once, with the first test that failed.
"""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from tests.mutants.areas import area_of
from tests.mutants.campaign import change_of
from tests.mutants.copy import Mutated
from tests.mutants.faults import Fault
from tests.mutants.ledger import Ledger, Outcome

PAGES = "tests/e2e/dashboard"
LEFT_OUT = f"{PAGES}/test_real_store.py"  # it trains a study first


class Pages:
    """Hold the plug-in: run all tests without a fault, then for each fault, quickest first, until one fails."""

    def __init__(self, faults: list[Fault], ledger: Ledger) -> None:
        self._faults = faults
        self._ledger = ledger
        self._failed: str | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        passing = self._passing(session.items)
        mutated = Mutated(Path.cwd())
        for fault in self._faults:
            began = time.monotonic()
            session._setupstate.teardown_exact(session)  # type: ignore[arg-type]  # files keep pages open
            with mutated.planted(fault):
                failed = self._first_failing(passing)
            text = Path(fault.file).read_text(encoding="utf-8")
            self._ledger.add(outcome_of(fault, failed, round(time.monotonic() - began, 1), text))
        session._setupstate.teardown_exact(None)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed = report.nodeid

    def _passing(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Run all tests, and return those that pass: the files in order of their time, and the tests within a file."""
        takes: dict[pytest.Item, float] = {}
        for item, following in zip(items, [*items[1:], items[0]], strict=True):
            began = time.monotonic()
            if self._run(item, following) is None:
                takes[item] = time.monotonic() - began
        files: dict[Path, float] = {}
        for item, seconds in takes.items():
            files[item.path] = files.get(item.path, 0.0) + seconds
        return sorted(takes, key=lambda item: (files[item.path], item.path, takes[item]))

    def _first_failing(self, items: list[pytest.Item]) -> str | None:
        for item, following in zip(items, [*items[1:], items[0]], strict=True):
            if (failed := self._run(item, following)) is not None:
                return failed
        return None

    def _run(self, item: pytest.Item, following: pytest.Item) -> str | None:
        self._failed = None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return self._failed


def outcome_of(fault: Fault, failed: str | None, seconds: float, text: str) -> Outcome:
    """Return what became of a fault of a script with this text; ``failed`` names the first test that failed."""
    where = f"{fault.file}:{fault.line} {fault.scope}"
    word = "killed" if failed else "survived"
    return Outcome(fault.id, area_of(fault.file), where, fault.kind, change_of(fault, text), word, failed, seconds)


def main(faults: str, ledger: str) -> int:
    """Judge the faults of a file."""
    lines = Path(faults).read_text(encoding="utf-8").splitlines()
    plugin = Pages([Fault(**json.loads(line)) for line in lines], Ledger(Path(ledger)))
    return int(
        pytest.main(
            [PAGES, "--ignore", LEFT_OUT, "-q", "-p", "no:cacheprovider", "-m", "not slow", "--tb", "line"],
            plugins=[plugin],
        )
    )


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # a test that fails may leave its server's thread behind, for which Python would wait
