"""Let the processes that we start find our packages first: a user's folder may hold packages of the same names."""

import contextlib
import os
from pathlib import Path


def own_folder() -> Path:
    """Return the folder that holds our packages: a checkout, or the environment's ``site-packages``."""
    return Path(__file__).parents[2]


def search_path() -> list[str]:
    """Return where a process that we start looks for modules first: our folder, then ``PYTHONPATH``, then the user's."""
    paths = [str(own_folder()), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    with contextlib.suppress(FileNotFoundError):  # the working directory has been deleted
        paths.append(str(Path.cwd()))
    return list(dict.fromkeys(paths))


def own_environment() -> dict[str, str]:
    """Return this process's environment with ``search_path`` as ``PYTHONPATH``; start Python with ``-P`` in it."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(search_path())}
