"""Return the installed version of Stillhouse."""

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """Return the installed version, or ``unknown`` when run from a bare checkout."""
    try:
        return version("stillhouse")
    except PackageNotFoundError:
        return "unknown"
