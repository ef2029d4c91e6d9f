"""Give a module under test a clock of its own."""

import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


def own_clock(monkeypatch: pytest.MonkeyPatch, module: ModuleType, **functions: Callable[..., Any]) -> None:
    """Replace ``time`` in one module: the functions that are given stand for those of their names.

    Never the process's own clock, by which other threads wait: a server of the pages' tests would sleep for hours.
    """
    monkeypatch.setattr(module, "time", SimpleNamespace(**{**vars(time), **functions}))
