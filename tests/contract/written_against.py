"""Say for which version the code of a compat folder was written, when a private part has another shape."""

import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any


def against(package: str, written: str) -> str:
    """Return the message of a failed contract: a new version needs the compat module to be looked at again."""
    return f"the compat module was written against {package} {written}, and {package} {version(package)} is installed"


def parameters(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's parameters."""
    return list(inspect.signature(function).parameters)


def names_in(function: Callable[..., Any]) -> set[str]:
    """Return the names that a function looks up when it runs, in its module or on objects."""
    return set(inspect.unwrap(function).__code__.co_names)
