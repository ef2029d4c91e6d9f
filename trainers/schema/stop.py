"""Ask a trial to stop at its next safe point, through a file in its directory, which the training loop checks."""

from pathlib import Path

STOP = "stop"  # there while a stop is wanted; whoever starts a trial removes it


def request_stop(directory: str | Path) -> None:
    """Ask the trial in ``directory`` to save its state at the next step and end; a trial that does not run stays as it is."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    (Path(directory) / STOP).touch()


def stop_requested(directory: str | Path) -> bool:
    """Return whether somebody asked the trial to stop."""
    return (Path(directory) / STOP).exists()


def clear_stop(directory: str | Path) -> None:
    """Forget an earlier wish: the trial is about to be started."""
    (Path(directory) / STOP).unlink(missing_ok=True)
