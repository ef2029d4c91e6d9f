"""Ask a trial to stop at its next safe point, through a file in its directory, which the training loop checks."""

from pathlib import Path

from trainers.schema.request import asks_to_leave

STOP = "stop"  # there while a run is ending; whoever starts a trial removes it


def request_stop(directory: str | Path) -> None:
    """Ask the trial in ``directory`` to save its state at the next step and end; a trial that does not run stays as it is."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    (Path(directory) / STOP).touch()


def run_is_ending(directory: str | Path) -> bool:
    """Return whether the run that trains the trial asked it to stop, as it asks all of its trials."""
    return (Path(directory) / STOP).exists()


def stop_requested(directory: str | Path) -> bool:
    """Return whether somebody asked the trial to stop: its run, or its user, for good or for a while."""
    return run_is_ending(directory) or asks_to_leave(directory)


def clear_stop(directory: str | Path) -> None:
    """Forget an earlier wish of a run: the trial is about to be started."""
    (Path(directory) / STOP).unlink(missing_ok=True)
