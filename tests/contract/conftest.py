"""Keep tests away from what this machine remembers of detectors: costs that were measured here would stand in results."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a cache of its own."""
    monkeypatch.setenv("STILLHOUSE_CACHE", str(tmp_path / "cache"))
