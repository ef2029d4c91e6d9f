"""Give a process a home folder where the system knows none, as in a container that runs as a user without an entry."""

import getpass
import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)


def require_home() -> None:
    """Make sure that this process and those that it starts have a home folder and a user's name; say where it is.

    MLflow needs a home when it is imported, and our caches lie in it. One that the system or ``HOME`` names stays.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(_own_temporary_folder())
        log.warning("this user has no home folder: caches go to %s; HOME names another one", os.environ["HOME"])
    try:
        getpass.getuser()
    except KeyError:
        os.environ["LOGNAME"] = f"user-{os.getuid()}"


def _own_temporary_folder() -> Path:
    """Return a folder that only this user can write, the same one each time."""
    folder = Path(tempfile.gettempdir()) / f"stillhouse-home-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    return folder if found.st_uid == os.getuid() and folder.is_dir() else Path(tempfile.mkdtemp(prefix=folder.name))
