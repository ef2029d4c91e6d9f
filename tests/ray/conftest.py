"""Share one local Ray among consecutive tests that ask for one."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


class SharedRay:
    """Start a local Ray whose workers find this checkout, and take it away with its traces in the environment."""

    def __init__(self) -> None:
        self._before: dict[str, str] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._before is not None:
            return
        self._before = dict(os.environ)
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        from orchestrator.execution.ray_cluster import start_ray

        start_ray(None)

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._before is None:
            return
        from orchestrator.execution.ray_cluster import stop_ray

        stop_ray()
        os.environ.clear()
        os.environ.update(self._before)
        self._before = None


SHARED = SharedRay()


@pytest.fixture
def local_ray() -> None:
    """Give a local Ray that earlier tests may have used, too."""
    SHARED.start()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop Ray before a test that does not share it: some start their own, others must not find one."""
    if "local_ray" not in getattr(nextitem, "fixturenames", ()):
        SHARED.stop()
