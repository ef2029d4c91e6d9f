"""Ray's settings are ours where the user has none, and a Ray of our own answers to nobody else."""

import os
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from unittest import mock

import pytest

from orchestrator.core import ray_environment
from orchestrator.core.errors import UserError
from orchestrator.core.ray_environment import SETTINGS, prepare, require_unused_ray

OURS = {*SETTINGS, "STILLHOUSE_DRIVER", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ADDRESS"}


@pytest.fixture(autouse=True)
def bare() -> Iterator[None]:
    """Run without these variables, and put back what was there."""
    with mock.patch.dict(os.environ):
        for name in OURS:
            os.environ.pop(name, None)
        yield


def test_settings_are_filled_in_and_the_users_win():
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = "7"
    prepare(None)
    assert {name: os.environ[name] for name in SETTINGS} == SETTINGS | {"RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "7"}


def test_a_ray_of_our_own_has_a_new_secret_each_time_and_forgets_other_clusters(imported):
    os.environ |= {"RAY_ADDRESS": "elsewhere:6379", "RAY_AUTH_TOKEN": "known", "RAY_AUTH_MODE": "disabled"}
    secrets = []
    for _ in range(2):
        prepare(None)
        secrets.append(os.environ["RAY_AUTH_TOKEN"])
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert "RAY_ADDRESS" not in os.environ
    assert "known" not in secrets
    assert len(set(secrets)) == 2
    assert all(len(secret) >= 32 for secret in secrets)


def test_a_cluster_keeps_its_own_secret_and_address():
    theirs = {"RAY_ADDRESS": "cluster:6379", "RAY_AUTH_TOKEN": "theirs", "RAY_AUTH_MODE": "token"}
    os.environ |= theirs
    prepare("cluster:6379")
    assert {name: os.environ[name] for name in theirs} == theirs
    for name in theirs:
        del os.environ[name]
    prepare("cluster:6379")
    assert not set(theirs) & set(os.environ)


@pytest.fixture
def imported(monkeypatch):
    """Return a function that puts a Ray among the imported modules, of which this process has prepared none."""
    monkeypatch.setattr(ray_environment, "_tokens", {})
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    return lambda connected: monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(is_initialized=lambda: connected))


def test_a_ray_that_was_imported_too_early_is_refused(imported):
    require_unused_ray()
    imported(False)
    prepare(None)
    with pytest.raises(UserError, match=r"ray was imported .* restart Python \(in a notebook, the kernel\)"):
        require_unused_ray()


def test_a_ray_that_was_imported_after_our_settings_may_be_used_again(imported):
    prepare(None)
    first = os.environ["RAY_AUTH_TOKEN"]
    imported(False)
    prepare(None)
    require_unused_ray()
    assert os.environ["RAY_AUTH_TOKEN"] == first  # which the imported Ray has read


def test_a_ray_of_the_users_own_is_not_taken_and_ended(imported):
    prepare(None)
    imported(True)
    with pytest.raises(UserError, match=r"ray\.shutdown\(\)"):
        require_unused_ray()
