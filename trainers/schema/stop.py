"""Ask a trial to stop at its next safe point, through a file in its directory, which the training loop checks."""

from pathlib import Path

from trainers.schema.request import asks_to_leave

STOP = "stop"  # there while a run is ending; whoever starts a trial removes it
MOVE = "move"  # there while the trial's machine is about to be taken away; the trial's next start removes it


class MachineLeaves(Exception):
    """Report that a trial has saved its state because its machine is about to be taken away; it can go on elsewhere."""

    preempted = True  # what Ray's own errors say of a machine that was taken away


def request_stop(directory: str | Path) -> None:
    """Ask the trial in ``directory`` to save its state at the next step and end; a trial that does not run stays as it is."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    (Path(directory) / STOP).touch()


def run_is_ending(directory: str | Path) -> bool:
    """Return whether the run that trains the trial asked it to stop, as it asks all of its trials."""
    return (Path(directory) / STOP).exists()


def stop_requested(directory: str | Path) -> bool:
    """Return whether the trial is to save its state and end here: its run, its user, or its machine's notice wants it."""
    return run_is_ending(directory) or must_move(directory) or asks_to_leave(directory)


def request_move(directory: str | Path) -> None:
    """Ask the trial in ``directory`` to save its state at the next step and to go on elsewhere."""
    (Path(directory) / MOVE).touch()


def must_move(directory: str | Path) -> bool:
    """Return whether the trial has to go on elsewhere."""
    return (Path(directory) / MOVE).exists()


def clear_move(directory: str | Path) -> None:
    """Forget that the trial had to move: it is about to go on."""
    (Path(directory) / MOVE).unlink(missing_ok=True)


def clear_stop(directory: str | Path) -> None:
    """Forget an earlier wish of a run: the trial is about to be started."""
    (Path(directory) / STOP).unlink(missing_ok=True)
