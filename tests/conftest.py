"""Give every test the marker of its folder, and keep tests off the network and out of the user's settings."""

import functools
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from orchestrator.core.ray_environment import prepare

TESTS = Path(__file__).parent
LYING = pytest.StashKey[frozenset[str]]()
CLOCK = {name: getattr(time, name) for name in ("time", "monotonic", "perf_counter", "sleep")}
OF_TOOLS = re.compile(r"\.|__pycache__$|build$|dist$|.*\.egg-info$|stillhouse-runs$")  # the last is the default store
LONGEST_FIRST = ("gpu", "benchmarks", "e2e", "ray", "chaos", "processes", "contract", "unit")
FOLDERS = frozenset(LONGEST_FIRST)
SHARED = {  # fixtures of a session that cost seconds, and the files of the tests that use them
    "local_ray": r"tests/ray/test_(sweep|search|cohorts|search_cohorts|prefixes|worker_groups)\.py",
    "ran": r"tests/e2e/(dashboard/|test_(study|terminal)\.py)",
    "gloo_pair": r"tests/processes/test_\w+_(workers|group)\.py",
}

# Ray's native parts read their settings, the token among them, when Ray is first imported: by any test module.
prepare(None)

# Child processes (Ray workers, commands) inherit these: neither library may phone home from a test.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

# The same examples on every machine, and no verdict on speed: CI has two busy cores.
settings.register_profile("stillhouse", derandomize=True, database=None, deadline=None)
settings.register_profile("quick", settings.get_profile("stillhouse"), max_examples=20)
settings.load_profile("stillhouse")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a plug-in's author run the adapter suite on a head that is not built in."""
    parser.addoption("--adapter-head", metavar="MODULE:HEADSPEC", help="run tests/contract/test_adapters.py on it")
    parser.addoption("--adapter-config", metavar="PATH", help="a small detector with the head of --adapter-head")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test by its folder, so that the cost of a test is where it lives."""
    folder = _folder(item)
    if folder is not None:
        item.add_marker(getattr(pytest.mark, folder))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run long folders first, and tests with a costly fixture in common one after the other."""
    items.sort(key=lambda item: (LONGEST_FIRST.index(_folder(item) or "unit"), not _shares(_file(item.nodeid))))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each file to one process, and all files with a costly fixture in common to the same one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _shares(_file(nodeid)) or _file(nodeid)

    return ByFile(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note what lies in the checkout, and skip tests/gpu where there is no CUDA device."""
    item.stash[LYING] = lying_here()
    if _folder(item) == "gpu" and not _cuda_is_available():
        pytest.skip("needs a CUDA device")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Undo what training sets for the whole process: other tests of it count with denormal numbers.

    Fail a test that has left something in the checkout, such as MLflow's ``mlruns``: what it wrote there is written into the
    working directory of users, too. Fail one that has replaced the clock of the whole process, by which other threads wait.
    """
    replaced = [name for name, function in CLOCK.items() if getattr(time, name) is not function]
    yield
    assert not replaced, f"time.{replaced[0]} was replaced for all threads: give the module own_clock (tests/clock.py)"
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_flush_denormal(False)
        torch.use_deterministic_algorithms(False)
    left = lying_here() - item.stash.get(LYING, lying_here())
    assert not left, f"left in the checkout: {', '.join(sorted(left))}"


def lying_here() -> frozenset[str]:
    """Return the names in the checkout's folder but for hidden ones, caches, packages that are being built and the default store."""
    return frozenset(name for name in os.listdir(TESTS.parent) if not OF_TOOLS.match(name))  # noqa: PTH208  of each test


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _shares(file: str) -> str | None:
    """Return the fixture of a session that a file shares with others."""
    return next((fixture for fixture, files in SHARED.items() if re.search(files, file)), None)


def _folder(item: pytest.Item) -> str | None:
    """Return the folder of tests/ that holds the test, if it is one of them."""
    if not item.path.is_relative_to(TESTS):
        return None
    first = item.path.relative_to(TESTS).parts[0]
    return first if first in FOLDERS else None


@functools.cache
def _cuda_is_available() -> bool:
    """Ask torch, once, and only when a GPU test is about to run."""
    import torch

    return torch.cuda.is_available()
