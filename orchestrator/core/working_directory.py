"""Notice that the working directory has been deleted, of which Python says only that some file is missing."""

from pathlib import Path

from orchestrator.core.errors import UserError


def require_working_directory() -> None:
    """Raise ``UserError`` where there is none: Ray's workers die in such a place, and no path can be resolved."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the working directory has been deleted: change to another one") from None
