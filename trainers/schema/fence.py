"""Fence off a process that has lost its claim on a folder: all it writes there goes through a folder that it loses.

Where several jobs share a store, the holder of a lease writes temporary files inside the lease's own folder. Whoever takes
the lease over renames that folder and empties it. From then on every rename out of the old path fails, so a process that
was stopped, and comes back, can neither publish nor delete a file. Imports nothing heavy.
"""

from pathlib import Path

_fences: dict[Path, Path] = {}  # of this process: by the folder that is written to


class FencedOff(Exception):
    """Report that another job has taken over the files that this process was about to change."""


def set_fence(directory: str | Path, fence: str | Path | None) -> None:
    """Let this process write to ``directory`` and below only through the folder ``fence``; ``None`` lifts that."""
    if fence:
        _fences[Path(directory)] = Path(fence)
    else:
        _fences.pop(Path(directory), None)


def fence_of(directory: str | Path) -> Path | None:
    """Return the folder through which this process writes to ``directory``, ``None`` where it writes directly.

    Below a fenced folder it is a folder inside the fence. Raises ``FencedOff`` when that cannot be made any more.
    """
    directory = Path(directory)
    exact = _fences.get(directory)
    if exact is not None or not _fences:
        return exact
    above = next((parent for parent in directory.parents if parent in _fences), None)
    if above is None:
        return None
    fence = _fences[above] / "-".join(directory.relative_to(above).parts)
    try:
        fence.mkdir(exist_ok=True)
    except FileNotFoundError as error:
        raise FencedOff(f"another job has taken over {above}") from error
    _fences[directory] = fence
    return fence


def is_fenced_off(directory: str | Path) -> bool:
    """Return whether this process has lost its claim on ``directory``."""
    try:
        fence = fence_of(directory)
    except FencedOff:
        return True
    return fence is not None and not fence.is_dir()


def require_claim(directory: str | Path) -> None:
    """Raise ``FencedOff`` when this process has lost its claim on ``directory``."""
    if is_fenced_off(directory):
        raise FencedOff(f"another job has taken over {directory}")


def side_folder(directory: str | Path) -> Path:
    """Return the folder for files about a trial that only its present holder reads and writes."""
    return fence_of(directory) or Path(directory)
