"""Load, check, plan, run and read studies from Python: ``from stillhouse import Study``. Also start the command."""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestrator.api import Study
    from orchestrator.core.errors import OperationError, UserError
    from orchestrator.core.findings import Finding, StudyErrors

    __version__: str

__all__ = ["Finding", "OperationError", "Study", "StudyErrors", "UserError"]
_PACKAGES = ("orchestrator", "trainers", "dashboards")
_SOURCES = {
    "Finding": "orchestrator.core.findings",
    "OperationError": "orchestrator.core.errors",
    "Study": "orchestrator.api",
    "StudyErrors": "orchestrator.core.findings",
    "UserError": "orchestrator.core.errors",
}


def main() -> int:
    """Run the ``stillhouse`` command with this process's arguments and return its exit code."""
    return int(import_module("orchestrator.cli").main())


def _import_ours() -> None:
    """Import our packages from beside this file: another folder on the path may have some of the same names.

    Raises ``ImportError`` where a stranger's package has been imported under one of the names: Python has room for one.
    """
    folder = Path(__file__).resolve().parent
    sys.path.insert(0, str(folder))
    try:
        found = {name: import_module(name) for name in _PACKAGES}
    finally:
        sys.path.remove(str(folder))
    for name, module in found.items():
        origin = Path(module.__file__ or module.__path__[0])
        if origin.resolve().parents[1] != folder:
            raise ImportError(
                f"{origin} was imported as {name!r}, which hides the package of Stillhouse in {folder}: import stillhouse "
                "in a process that does not import the other one, or rename that"
            )


def __getattr__(name: str) -> Any:
    """Load a name when it is asked for: the command starts sooner without."""
    if name == "__version__":
        return import_module("orchestrator.core.version").own_version()
    if name in _SOURCES:
        return getattr(import_module(_SOURCES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names to complete."""
    return [*__all__, "__version__", "main"]


_import_ours()
if __name__ == "__main__":
    sys.exit(main())
