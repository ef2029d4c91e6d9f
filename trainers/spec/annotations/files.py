"""Say where an image of a COCO file lies."""

import os
from pathlib import Path


def image_path(root: str, folder: str, name: str) -> str:
    """Return the path of the image ``name`` in ``folder`` below ``root``.

    Raises ``ValueError`` with a phrase for a name that leads out of the root, or that no file should have: the
    annotations may be a stranger's.
    """
    path = Path(root).absolute() / folder / name
    top = os.path.normpath(Path(root).absolute()).rstrip(os.sep)
    if not os.path.normpath(path).startswith(f"{top}{os.sep}") or not name.isprintable():
        raise ValueError("does not lie below the dataset's root")
    return str(Path(root) / folder / name)
